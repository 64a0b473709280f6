"""The run folder: what was asked, what happened, what is finished."""
