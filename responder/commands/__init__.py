"""The live side's sub-commands, each loaded only when called."""
