"""Networks of the photo alone, x = R(y): one paper a file."""
