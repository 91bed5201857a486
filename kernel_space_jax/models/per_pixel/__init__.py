"""Networks that find the kernel of each pixel of a photo."""
