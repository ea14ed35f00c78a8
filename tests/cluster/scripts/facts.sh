# What a container's first process may do, as the kernel says; one fact a line. Runs in any image with a shell.
set -u
grep -E '^(Uid|Gid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/1/status
grep ' / ' /proc/1/mounts | tail -n 1 | grep -Eq ' ro[, ]' && echo 'Root: read-only' || echo 'Root: writable'
if (: >/written-by-a-test) 2>/dev/null; then echo 'Write: done'; else echo 'Write: refused'; fi
[ -e /var/run/secrets/kubernetes.io/serviceaccount/token ] && echo 'Token: mounted' || echo 'Token: none'
if [ -r /sys/fs/cgroup/memory.max ]; then
    echo "Memory: $(cat /sys/fs/cgroup/memory.max)"
    echo "Cpu: $(cat /sys/fs/cgroup/cpu.max)"
else
    echo "Memory: $(cat /sys/fs/cgroup/memory/memory.limit_in_bytes)"
    echo "Cpu: $(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us) $(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us)"
fi
