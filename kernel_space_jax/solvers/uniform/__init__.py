"""One kernel for the whole photo: finding it, and undoing it."""
