"""The port to any language model; nothing here starts one."""
