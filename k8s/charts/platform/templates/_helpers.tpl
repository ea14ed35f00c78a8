{{/* Names are fixed: one platform per namespace. */}}

{{- define "platform.selector" -}}
app.kubernetes.io/name: ecom-platform
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "platform.labels" -}}
{{ include "platform.selector" . }}
app.kubernetes.io/part-of: ecom-platform
app.kubernetes.io/version: {{ .root.Values.image.tag | trunc 63 | splitList "@" | first | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "platform.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end }}

{{- define "platform.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 1000 }}
  runAsGroup: {{ .user | default 1000 }}
  fsGroup: {{ .user | default 1000 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "platform.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  privileged: false
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "platform.databaseHost" -}}
{{- if .Values.database.external.enabled }}{{ .Values.database.external.host }}{{ else }}database{{ end -}}
{{- end }}
{{- define "platform.databasePort" -}}
{{- if .Values.database.external.enabled }}{{ .Values.database.external.port }}{{ else }}5432{{ end -}}
{{- end }}

{{/* What webserver, daemon and code location know about the instance. */}}
{{- define "platform.environment" -}}
- {name: DAGSTER_HOME, value: /opt/dagster/dagster_home}
- name: DAGSTER_PG_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .Values.database.existingSecret }}, key: postgresql-password}}
{{- end }}

{{/* Which shop: for the code location and for runs. */}}
{{- define "platform.shopEnvironment" -}}
- {name: ECOM_SPEC, value: /etc/ecom/shop.yaml}
- {name: ECOM_ENVIRONMENT, value: {{ .Values.environment }}}
- {name: ECOM_STATE, value: /var/lib/ecom}
{{- range $name, $value := .Values.environmentVariables }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{/* Nothing of Dagster starts before its database answers, so that nothing crashes and waits. */}}
{{- define "platform.waitForDatabase" -}}
- name: wait-for-database
  image: {{ include "platform.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [sh, -euc, "until pg_isready --quiet; do sleep 1; done"]
  env:
    - {name: PGHOST, value: {{ include "platform.databaseHost" . | quote }}}
    - {name: PGPORT, value: {{ include "platform.databasePort" . | quote }}}
    - {name: PGUSER, value: {{ .Values.database.role }}}
    - {name: PGCONNECT_TIMEOUT, value: "5"}
  {{- include "platform.containerSecurity" . | nindent 2 }}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {cpu: 100m, memory: 64Mi}
{{- end }}

{{/* A change of the instance's configuration, the workspace or the spec starts the pods anew. */}}
{{- define "platform.checksums" -}}
ecom/instance: {{ include (print .Template.BasePath "/instance.yaml") . | sha256sum }}
ecom/spec: {{ toJson .Values.spec | sha256sum }}
{{- end }}

{{/* Secret volumes from a map of use to Secret name. */}}
{{- define "platform.secretVolumes" -}}
{{- range $use, $secret := . }}
- name: secret-{{ $use }}
  secret: {secretName: {{ $secret }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- define "platform.secretMounts" -}}
{{- range $use, $secret := . }}
- {name: secret-{{ $use }}, mountPath: /run/secrets/ecom/{{ $use }}, readOnly: true}
{{- end }}
{{- end }}

{{/* Whether the exporter of metrics looks at the release: its state is one ConfigMap in the shop's namespace. */}}
{{- define "platform.watchesRelease" -}}
{{- if and .Values.metrics.enabled (ne .Values.shop.access "none") (not (has "releases" (.Values.spec.leave_out | default list))) }}yes{{ end -}}
{{- end }}

{{/* A command that succeeds when a heartbeat of the daemon is younger than a time, in seconds since 1970. */}}
{{- define "platform.heartbeat" -}}
{{- $query := "SELECT CASE WHEN extract(epoch FROM max(timestamp) AT TIME ZONE 'UTC') > :since THEN 'beats' END FROM daemon_heartbeats" -}}
{{- $psql := printf "echo \"%s\" | PGPASSWORD=$DAGSTER_PG_PASSWORD PGCONNECT_TIMEOUT=5 psql --no-psqlrc -At --set=since=%s --host=%s --port=%s --username=%s --dbname=%s | grep -q beats" $query .since (include "platform.databaseHost" .root) (include "platform.databasePort" .root) .root.Values.database.role .root.Values.database.name -}}
{{- list "sh" "-c" $psql | toJson -}}
{{- end }}
