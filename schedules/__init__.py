"""When: everything that starts a run by itself; the cron table and the sensors."""
