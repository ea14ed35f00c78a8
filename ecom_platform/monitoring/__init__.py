"""What is watched in a running shop: metrics of the platform, rules for Prometheus, dashboards for Grafana."""
