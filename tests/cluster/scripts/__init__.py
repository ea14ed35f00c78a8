"""Programs that run inside pods. They use nothing but the standard library."""
