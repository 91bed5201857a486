"""Bad inputs for every verb and for the Python face, and what came of each."""
