"""LPIPS with weights that the user gives; none come with the package."""

from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.models.lpips import LPIPS
from kernel_space_jax.weights.files import Weights

WANTED = (
    "give the published ones: torch.save(lpips.LPIPS(net='alex').state_dict(), "
    "'lpips.pth') with the lpips package, then 'kernel-space import-weights lpips "
    "lpips.pth -o lpips.safetensors'"
)


def lpips(x: Array, y: Array, weights: Weights | None) -> Array:
    """The learned perceptual distance: two (N, H, W, 3) in [0, 1] -> (N,)."""
    if weights is None:
        raise UserError(f"LPIPS needs weights; {WANTED}")
    module, variables = weights
    if not isinstance(module, LPIPS):
        raise UserError(f"these weights are a {type(module).__name__}; {WANTED}")
    distances = module.apply(variables, x, y)
    assert isinstance(distances, Array)
    return distances
