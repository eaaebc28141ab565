"""No DAG: the place where Airflow shows what is wrong with a channel or outlet file.

Airflow keeps import errors by file and stops every DAG of a file that has one. ``inbound.py`` and
``publish.py`` therefore pass over a broken configuration file, and this one raises what is wrong
with it: the channel's DAG is missing, the error says why, and all other DAGs run on.
"""

from __future__ import annotations

from connectors.channel import load_channels
from connectors.outlet import load_outlets
from crossdock.settings import Settings
from schemas.errors import ConfigError

settings = Settings.from_environment()
missing = {f"inbound_{stem}": error for stem, error in load_channels(settings.channels).broken.items()}
missing |= {f"publish.publish_to_{stem}": error for stem, error in load_outlets(settings.outlets).broken.items()}
if missing:
    raise ConfigError(
        f"missing until their files are mended: {', '.join(missing)}",
        problems=tuple(problem for error in missing.values() for problem in error.problems),
        hint=f"the files lie in {settings.channels} and {settings.outlets}",
    )
