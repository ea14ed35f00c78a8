"""What is backed up beside databases: folders, the configuration, and sets of all that belong together."""
