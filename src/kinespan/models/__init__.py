"""Networks that are used on recordings: encoder models, localizers, ensembles, and the file that holds one."""
