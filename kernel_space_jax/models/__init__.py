"""Networks only: Flax Linen, NHWC, images in [0, 1]; no loss, no file."""
