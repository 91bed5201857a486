"""What trains and then scores: whole experiments of papers, one a file."""
