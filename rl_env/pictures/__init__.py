"""What pictures of an environment are made of; `rl_env.render` is how to get one."""
