"""What the tests have Velero back up: a namespace with one of everything, and one on a folder of its node."""

from __future__ import annotations

from typing import Any

import yaml

from tests.cluster.tools import Cluster

SMALL_SHOP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: keeper}}
data: {colour: green}
---
apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {token: only-for-the-test}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: keeper}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: keeper}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: keeper}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: keeper}
subjects: [{kind: ServiceAccount, name: keeper, namespace: NAMESPACE}]
---
apiVersion: v1
kind: Service
metadata: {name: keeper}
spec: {selector: {app: keeper}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 64Mi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: keeper}
spec:
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      serviceAccountName: keeper
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      # The API server refuses a pod that was made by this and comes back as it was.
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: {matchLabels: {app: keeper}}
          matchLabelKeys: [pod-template-hash]
      containers:
        - name: main
          image: python:3.13-slim
          command: [sleep, infinity]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          resources: {requests: {cpu: 5m, memory: 16Mi}, limits: {cpu: 500m, memory: 64Mi}}
          volumeMounts: [{name: data, mountPath: /data}, {name: tmp, mountPath: /tmp}]
      volumes:
        - {name: data, persistentVolumeClaim: {claimName: data}}
        - {name: tmp, emptyDir: {}}
"""
"""A namespace with one of everything that comes back in its own way, and a volume with files."""

DATABASE = """
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {selector: {app.kubernetes.io/component: database}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Secret
metadata: {name: shop-database-backup}
stringData: {password: only-for-the-test}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: database}
spec:
  serviceName: database
  selector: {matchLabels: &labels
    {app.kubernetes.io/name: shop, app.kubernetes.io/instance: shop, app.kubernetes.io/component: database}}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}
  template:
    metadata: {labels: *labels}
    spec:
      automountServiceAccountToken: false
      securityContext:
        {runAsNonRoot: true, runAsUser: 999, runAsGroup: 999, fsGroup: 999, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: postgresql
          image: postgres:17
          env:
            - {name: POSTGRES_DB, value: shop}
            - {name: POSTGRES_PASSWORD, value: only-for-the-test}
            - {name: PGDATA, value: /var/lib/postgresql/data/pgdata}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          resources: {requests: {cpu: 5m, memory: 64Mi}, limits: {cpu: "1", memory: 256Mi}}
          readinessProbe: {exec: {command: [pg_isready, --quiet, --host=127.0.0.1]}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /var/lib/postgresql/data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 256Mi}}}
"""
"""A database as the platform finds it in a shop's namespace."""

ROWS = """
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total numeric NOT NULL);
INSERT INTO orders (total) SELECT n FROM generate_series(1, 1000) AS n;
CREATE ROLE shop_backup LOGIN PASSWORD 'only-for-the-test';
GRANT pg_read_all_data TO shop_backup;
"""


def make_small_shop(cluster: Cluster, namespace: str, *, database: bool = False, **claim: Any) -> None:
    """The objects, and files in the volume; with a database also that, and rows. claim: more of the claim's spec."""
    text = SMALL_SHOP + ("---" + DATABASE if database else "")
    objects = list(yaml.safe_load_all(text.replace("NAMESPACE", namespace)))
    for each in objects:
        each["metadata"]["namespace"] = namespace
        if each["kind"] == "PersistentVolumeClaim":
            each["spec"].update(claim)
    cluster.apply(*objects)
    rollout = ("rollout", "status", "-n", namespace, "--timeout=180s")
    cluster.kubectl(*rollout, "deployment/keeper", seconds=190)
    program = "mkdir -p /data/orders && for n in 1 2 3; do echo order $n > /data/orders/$n; done"
    cluster.kubectl("exec", "-n", namespace, "deployment/keeper", "--", "sh", "-c", program)
    if database:
        cluster.kubectl(*rollout, "statefulset/database", seconds=190)
        sql(cluster, namespace, ROWS)


def sql(cluster: Cluster, namespace: str, text: str) -> None:
    program = ("psql", "--username=postgres", "--dbname=shop", "--set=ON_ERROR_STOP=1", "--quiet")
    cluster.kubectl("exec", "-i", "-n", namespace, "database-0", "--", *program, stdin=text)


def host_volume(name: str, path: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "64Mi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": name,
            "hostPath": {"path": path, "type": "DirectoryOrCreate"},
        },
    }
