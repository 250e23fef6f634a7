{{/* What every container and pod of this chart has in common: the restricted Pod Security Standard. */}}

{{- define "behalf.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.security }}
{{- with .runAsUser }}
runAsUser: {{ int64 . }}
{{- end }}
{{- with .runAsGroup }}
runAsGroup: {{ int64 . }}
{{- end }}
{{- with .fsGroup }}
fsGroup: {{ int64 . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "behalf.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Requests and limits without those that are null. */}}
{{- define "behalf.resources" -}}
{{- range $part := list "requests" "limits" }}
{{- $amounts := dict }}
{{- range $name, $amount := default dict (get $ $part) }}
{{- if not (kindIs "invalid" $amount) }}{{ $amounts = set $amounts $name ($amount | toString) }}{{ end }}
{{- end }}
{{- with $amounts }}
{{ $part }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Variables: what the chart decides, then `settings`, then which file holds which secret. */}}
{{- define "behalf.env" -}}
{{- $env := dict
    "BEHALF_BIND" (printf "%s:%d" .Values.listen.address (int .Values.listen.port))
    "BEHALF_STORE" (include "behalf.store" .)
    "BEHALF_DRAIN_DELAY" (printf "%ds" (int .Values.drain.delaySeconds))
    "BEHALF_SHUTDOWN_GRACE" (printf "%ds" (int .Values.drain.graceSeconds)) -}}
{{- if .Values.metrics.enabled -}}
{{- $_ := set $env "BEHALF_METRICS_BIND" (printf "%s:%d" .Values.listen.address (int .Values.listen.metricsPort)) -}}
{{- else -}}
{{- $_ := set $env "BEHALF_METRICS" "off" -}}
{{- end -}}
{{- if or .Values.config.toml .Values.config.existingConfigMap -}}
{{- $_ := set $env "BEHALF_CONFIG" "/etc/behalf/behalf.toml" -}}
{{- end -}}
{{- if .Values.config.users -}}
{{- $_ := set $env "BEHALF_USERS_FILE" "/etc/behalf/users.yaml" -}}
{{- end -}}
{{- if .Values.trust.configMap -}}
{{- $_ := set $env "BEHALF_CA_FILE" "/run/trust/ca.pem" -}}
{{- end -}}
{{- if .Values.tls.secret -}}
{{- $_ := set $env "BEHALF_TLS_CERT_FILE" "/run/tls/tls.crt" -}}
{{- $_ := set $env "BEHALF_TLS_KEY_FILE" "/run/tls/tls.key" -}}
{{- end -}}
{{- range $name, $value := .Values.settings -}}
{{- $_ := set $env $name $value -}}
{{- end -}}
{{- range $name, $file := .Values.secrets.files -}}
{{- $_ := set $env $name (printf "/run/secrets/behalf/%s" $file) -}}
{{- end -}}
{{- range $name, $value := $env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* Files that the configuration needs; all but the data. */}}
{{- define "behalf.mounts" -}}
{{- if include "behalf.configMap" . }}
- name: config
  mountPath: /etc/behalf
  readOnly: true
{{- end }}
{{- if include "behalf.hasSecrets" . }}
- name: secrets
  mountPath: /run/secrets/behalf
  readOnly: true
{{- end }}
{{- if .Values.trust.configMap }}
- name: trust
  mountPath: /run/trust
  readOnly: true
{{- end }}
{{- if .Values.tls.secret }}
- name: tls
  mountPath: /run/tls
  readOnly: true
{{- end }}
{{- end -}}

{{- define "behalf.volumes" -}}
{{- with include "behalf.configMap" . }}
- name: config
  configMap:
    name: {{ . }}
{{- end }}
{{- if include "behalf.hasSecrets" . }}
- name: secrets
  projected:
    # The process's group may read them, nobody else.
    defaultMode: 0440
    sources:
    {{- with .Values.secrets.projected }}
      {{- toYaml . | nindent 6 }}
    {{- else }}
      - secret:
          name: {{ default (include "behalf.fullname" .) .Values.secrets.existingSecret }}
    {{- end }}
{{- end }}
{{- if .Values.trust.configMap }}
- name: trust
  configMap:
    name: {{ .Values.trust.configMap }}
    items:
      - key: {{ .Values.trust.key }}
        path: ca.pem
{{- end }}
{{- if .Values.tls.secret }}
- name: tls
  secret:
    secretName: {{ .Values.tls.secret }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{- define "behalf.container" -}}
name: behalf
image: {{ include "behalf.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [serve]
env:
  {{- include "behalf.env" . | trim | nindent 2 }}
ports:
  - name: http
    containerPort: {{ .Values.listen.port }}
  {{- if .Values.metrics.enabled }}
  - name: metrics
    containerPort: {{ .Values.listen.metricsPort }}
  {{- end }}
# No preStop: the process itself goes on taking requests for BEHALF_DRAIN_DELAY after SIGTERM, while /readyz says no.
startupProbe:
  httpGet: {path: /livez, port: http, scheme: {{ include "behalf.scheme" . | upper }}}
  {{- toYaml .Values.probes.startup | nindent 2 }}
livenessProbe:
  httpGet: {path: /livez, port: http, scheme: {{ include "behalf.scheme" . | upper }}}
  {{- toYaml .Values.probes.liveness | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: http, scheme: {{ include "behalf.scheme" . | upper }}}
  {{- toYaml .Values.probes.readiness | nindent 2 }}
{{- with include "behalf.resources" .Values.resources | trim }}
resources:
  {{- . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "behalf.containerSecurity" . | nindent 2 }}
# Why it ended is its last line on standard error; shown by `kubectl describe pod`.
terminationMessagePolicy: FallbackToLogsOnError
{{- $mounts := include "behalf.mounts" . | trim }}
{{- if or $mounts (not (include "behalf.isRedis" .)) }}
volumeMounts:
  {{- if not (include "behalf.isRedis" .) }}
  - name: data
    mountPath: /var/lib/behalf
  {{- end }}
  {{- with $mounts }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}
