"""One logging set-up for the start and training scripts.

Rasa's debug and info lines contain what customers wrote.
"""

import logging
import sys


def configure(level: int = logging.WARNING) -> None:
    """Sends warnings and errors to standard error; call it before Rasa is imported."""
    import structlog

    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    logging.captureWarnings(True)
    # The libraries' deprecations: a page at each start.
    logging.getLogger("py.warnings").setLevel(logging.CRITICAL)
    # Without this, structlog prints everything.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
