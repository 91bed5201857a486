"""Networks that say how each pixel of a photo was blurred."""
