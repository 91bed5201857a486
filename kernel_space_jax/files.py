"""Writing files whole or not at all."""

import os
import uuid
from pathlib import Path

from kernel_space_jax.errors import UserError


def write_whole(path: Path, data: bytes) -> None:
    """Replaces `path` by `data` in one step; a failure leaves what was there."""
    # Not tempfile: its files are private to the user, which the output must not be.
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{path} cannot be written ({reason}); choose another output path."
        ) from None
