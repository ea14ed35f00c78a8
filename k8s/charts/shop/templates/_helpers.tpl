{{/* Names are fixed: one shop per namespace, and the platform finds its parts without asking Helm. */}}

{{- define "shop.selector" -}}
app.kubernetes.io/name: shop
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .colour }}
ecom/colour: {{ . }}
{{- end }}
{{- end }}

{{- define "shop.labels" -}}
{{ include "shop.selector" . }}
app.kubernetes.io/part-of: shop
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* The colour that a Service leads to: as it stands in the cluster, else (first installation) as the
     values say. A release switches it there, and an upgrade must not switch it back. */}}
{{- define "shop.selected" -}}
{{- $seen := dig "spec" "selector" "ecom/colour" "" (lookup "v1" "Service" .root.Release.Namespace .name) -}}
{{- $seen | default .value -}}
{{- end }}

{{/* Pod-wide hardening. user: the uid and gid of its processes. always: in the basic form too. */}}
{{- define "shop.podSecurity" -}}
{{- if or .root.Values.hardened .always }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 1000 }}
  runAsGroup: {{ .user | default 1000 }}
  fsGroup: {{ .user | default 1000 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "shop.containerSecurity" -}}
{{- if .Values.hardened }}
{{- include "shop.hardenedContainer" . }}
{{- end }}
{{- end }}
{{- define "shop.hardenedContainer" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  privileged: false
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "shop.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: {{ .root.Values.spread.whenUnsatisfiable }}
    labelSelector:
      matchLabels: {{ include "shop.selector" . | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- end }}

{{/* Folders that programs may write in, where the root file system is read-only. */}}
{{- define "shop.writableVolumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 128Mi}}
- {name: cache, emptyDir: {sizeLimit: 128Mi}}
{{- end }}
{{- define "shop.writableMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: cache, mountPath: /var/cache/shop}
{{- end }}

{{/* One role's secret, as files that the pod's group reads; in the basic form pods have no group of their
     own, so everybody in the pod reads them. keys: of the Secret. */}}
{{- define "shop.secretVolume" -}}
- name: {{ .volume }}
  secret:
    secretName: {{ .secret }}
    defaultMode: {{ if or .hardened .always }}0440{{ else }}0444{{ end }}
    items:
      {{- range .keys }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}

{{- define "shop.mediaVolume" -}}
- name: media
  {{- if .Values.media.persistence.enabled }}
  persistentVolumeClaim: {claimName: media}
  {{- else }}
  emptyDir: {sizeLimit: {{ .Values.media.persistence.size }}}
  {{- end }}
{{- end }}

{{/* Liveness, readiness and startup of one HTTP service. Startup is judged each 2 s for startSeconds. */}}
{{- define "shop.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ div (add .startSeconds 1) 2 }}
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
lifecycle:
  preStop:
    sleep: {seconds: {{ .drainSeconds }}}
{{- end }}

{{/* What every instance is told about itself. */}}
{{- define "shop.identity" -}}
- {name: HOST, value: "0.0.0.0"}
- {name: PORT, value: "8080"}
- {name: VERSION, value: {{ .version | quote }}}
- {name: COLOUR, value: {{ .colour }}}
- name: INSTANCE
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- {name: XDG_CACHE_HOME, value: /var/cache/shop}
{{- range $name, $value := .settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{/* The part of a Deployment's spec before its pods. */}}
{{- define "shop.rollout" -}}
{{- if or (not .service.autoscaling.enabled) (eq (int .of.replicas) 0) }}
replicas: {{ .of.replicas }}
{{- end }}
revisionHistoryLimit: 3
# A rollout that moves nowhere for this long says so in its conditions.
progressDeadlineSeconds: {{ add .service.startSeconds 60 }}
strategy:
  type: RollingUpdate
  rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
selector:
  matchLabels: {{ include "shop.selector" . | nindent 4 }}
{{- end }}
