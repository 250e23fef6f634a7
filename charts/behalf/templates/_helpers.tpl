{{/* Names, labels, and what several objects must agree on. */}}

{{- define "behalf.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{- define "behalf.headless" -}}{{ include "behalf.fullname" . }}-headless{{- end -}}
{{- define "behalf.redis" -}}{{ include "behalf.fullname" . }}-redis{{- end -}}
{{- define "behalf.testName" -}}{{ include "behalf.fullname" . }}-test{{- end -}}

{{- define "behalf.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects pods; never changes in the life of a release. */}}
{{- define "behalf.selector" -}}
app.kubernetes.io/name: {{ include "behalf.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "behalf.selectorOfPods" -}}
{{ include "behalf.selector" . }}
app.kubernetes.io/component: service
{{- end -}}

{{- define "behalf.selectorOfRedis" -}}
{{ include "behalf.selector" . }}
app.kubernetes.io/component: redis
{{- end -}}

{{- define "behalf.selectorOfTest" -}}
{{ include "behalf.selector" . }}
app.kubernetes.io/component: test
{{- end -}}

{{- define "behalf.labels" -}}
{{ include "behalf.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* An image by its digest, or by its tag. */}}
{{- define "behalf.reference" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}

{{- define "behalf.image" -}}
{{- with .Values.image -}}
{{ include "behalf.reference" (dict "repository" .repository "digest" .digest "tag" (default $.Chart.AppVersion .tag)) }}
{{- end -}}
{{- end -}}

{{- define "behalf.serviceAccount" -}}
{{- $own := ternary (include "behalf.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $own .Values.serviceAccount.name -}}
{{- end -}}

{{- define "behalf.isRedis" -}}{{ if eq .Values.store.kind "redis" }}yes{{ end }}{{- end -}}

{{- define "behalf.store" -}}
{{- if not (include "behalf.isRedis" .) -}}embedded:/var/lib/behalf/data
{{- else if .Values.redis.enabled -}}redis://{{ include "behalf.redis" . }}:6379
{{- else -}}{{ .Values.store.redis.url }}
{{- end -}}
{{- end -}}

{{- define "behalf.replicas" -}}
{{- if kindIs "invalid" .Values.replicas -}}{{ ternary 2 1 (eq .Values.store.kind "redis") }}{{- else -}}{{ .Values.replicas }}{{- end -}}
{{- end -}}

{{- define "behalf.scheme" -}}{{ ternary "https" "http" (ne .Values.tls.secret "") }}{{- end -}}

{{/* What a stop can take: requests are still taken, those in flight are answered, open commits end, the last audit
     events are sealed and delivered (3 s), the store is closed. */}}
{{- define "behalf.stopTakes" -}}
{{- add .Values.drain.delaySeconds (mul 3 .Values.drain.graceSeconds) 10 -}}
{{- end -}}

{{- define "behalf.configMap" -}}
{{- if .Values.config.existingConfigMap -}}{{ .Values.config.existingConfigMap }}
{{- else if or .Values.config.toml .Values.config.users -}}{{ include "behalf.fullname" . }}
{{- end -}}
{{- end -}}

{{/* The text of the ConfigMap; its checksum replaces the pods. */}}
{{- define "behalf.configData" -}}
{{- with .Values.config.toml }}
behalf.toml: |
  {{- trimSuffix "\n" . | nindent 2 }}
{{- end }}
{{- with .Values.config.users }}
users.yaml: |
  {{- dict "users" . | toYaml | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "behalf.secretData" -}}
{{- range $key, $content := .Values.secrets.values }}
{{ $key }}: {{ $content | b64enc }}
{{- end }}
{{- end -}}

{{- define "behalf.hasSecrets" -}}
{{- with .Values.secrets }}{{ if or .existingSecret .values .projected }}yes{{ end }}{{ end -}}
{{- end -}}
