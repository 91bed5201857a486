"""A kernel for each pixel: x under a field that is known or was found."""
