{{/* Values that are right by themselves and wrong together. Each message names the value and what to set; all of them
     are told at once. What the schema can say is said there. */}}

{{- define "behalf.wrong" -}}
{{- include "behalf.wrongStore" . -}}
{{- include "behalf.wrongSettings" . -}}
{{- include "behalf.wrongSecrets" . -}}
{{- include "behalf.wrongToml" . -}}
{{- include "behalf.wrongPods" . -}}
{{- include "behalf.wrongWays" . -}}
{{- include "behalf.wrongTest" . -}}
{{- end -}}

{{- define "behalf.wrongStore" -}}
{{- with .Values }}
{{- if not .image.repository }}
- image.repository: is empty. No image is published: build deploy/Dockerfile, push it, and name it here
{{- end }}
{{- if eq .store.kind "embedded" }}
{{- if and (not (kindIs "invalid" .replicas)) (gt (int .replicas) 1) }}
- replicas: {{ .replicas }} with store.kind embedded, which is one process's alone. Set replicas to 1, or store.kind to redis
{{- end }}
{{- if .autoscaling.enabled }}
- autoscaling.enabled: true with store.kind embedded, which has one replica. Set it to false, or store.kind to redis
{{- end }}
{{- if .store.redis.url }}
- store.redis.url: given with store.kind embedded, which doesn't use it. Set store.kind to redis, or leave the URL out
{{- end }}
{{- if .redis.enabled }}
- redis.enabled: true with store.kind embedded, which doesn't use it. Set store.kind to redis, or redis.enabled to false
{{- end }}
{{- else }}
{{- if and .redis.enabled .store.redis.url }}
- store.redis.url: given while redis.enabled is true. Set redis.enabled to false, or leave the URL out
{{- end }}
{{- if not (or .redis.enabled .store.redis.url) }}
- store.redis.url: is empty with store.kind redis. Give the URL, or try the chart's own with redis.enabled
{{- end }}
{{- if and .autoscaling.enabled (not (kindIs "invalid" .replicas)) }}
- replicas: given while autoscaling.enabled is true. Leave it out; minReplicas and maxReplicas count
{{- end }}
{{- if gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas) }}
- autoscaling.maxReplicas: {{ .autoscaling.maxReplicas }} is less than minReplicas, {{ .autoscaling.minReplicas }}. Raise it
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "behalf.wrongSettings" -}}
{{- with .Values }}
{{- $hasFile := or .config.toml .config.existingConfigMap }}
{{- if and .config.existingConfigMap (or .config.toml .config.users) }}
- config.existingConfigMap: given together with config.toml or config.users. Put these into your ConfigMap, or leave it out
{{- end }}
{{- if and .config.users .settings.BEHALF_USERS_FILE }}
- settings.BEHALF_USERS_FILE: given together with config.users, which sets it. Leave one of them out
{{- end }}
{{- if not $hasFile }}
{{- range $name := list "BEHALF_ISSUER" "BEHALF_AUDIENCE" }}
{{- if not (get $.Values.settings $name) }}
- settings.{{ $name }}: is missing. Set it, or configure the tenants in config.toml
{{- end }}
{{- end }}
{{- if not (or .secrets.files.BEHALF_HOOK_SECRET_FILE .settings.BEHALF_HOOK_BEARER_AUDIENCE) }}
- secrets.files.BEHALF_HOOK_SECRET_FILE: is missing. Name the key with the hook's secret, or set settings.BEHALF_HOOK_BEARER_AUDIENCE and its like
{{- end }}
{{- $directory := default (ternary "okta" "embedded" (hasKey .settings "BEHALF_OKTA_URL")) .settings.BEHALF_DIRECTORY }}
{{- if and (eq $directory "embedded") (not (or .config.users .settings.BEHALF_USERS_FILE)) }}
- config.users: is empty with the embedded directory. Give the users, or another directory by settings.BEHALF_DIRECTORY
{{- end }}
{{- end }}
{{- if and (eq .store.kind "redis") (hasPrefix "file:" (default "" .settings.BEHALF_AUDIT_SINK)) }}
- settings.BEHALF_AUDIT_SINK: a file with store.kind redis, whose replicas have no volume. Set it to stdout or off
{{- end }}
{{- end }}
{{- end -}}

{{- define "behalf.wrongSecrets" -}}
{{- with .Values.secrets }}
{{- $sources := 0 }}
{{- range list .existingSecret .values .projected }}{{ if . }}{{ $sources = add1 $sources }}{{ end }}{{ end }}
{{- if gt $sources 1 }}
- secrets: more than one of existingSecret, values and projected is given. Keep one; projected can name several Secrets
{{- end }}
{{- if and .files (eq $sources 0) }}
- secrets.files: given without a Secret that holds them. Give secrets.existingSecret, secrets.values or secrets.projected
{{- end }}
{{- if .values }}
{{- range $name, $key := .files }}
{{- if not (hasKey $.Values.secrets.values $key) }}
- secrets.files.{{ $name }}: names `{{ $key }}`, which secrets.values lacks. Add it there
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values }}
{{- $inFile := or .config.existingConfigMap (contains "signing_key_file" .config.toml) }}
{{- if and (eq .store.kind "redis") (not (or .secrets.files.BEHALF_SIGNING_KEY_FILE $inFile)) }}
- secrets.files.BEHALF_SIGNING_KEY_FILE: is missing with store.kind redis. All replicas sign the audit trail with one key: openssl genpkey -algorithm ed25519
{{- end }}
{{- end }}
{{- end -}}

{{- define "behalf.wrongPods" -}}
{{- with .Values }}
{{- $needed := include "behalf.stopTakes" $ | int }}
{{- with .drain.terminationGracePeriodSeconds }}
{{- if lt (int .) $needed }}
- drain.terminationGracePeriodSeconds: {{ . }} is less than a stop can take, {{ $needed }}. Raise it, lower drain.graceSeconds, or leave it out
{{- end }}
{{- end }}
{{- if eq (int .listen.port) (int .listen.metricsPort) }}
- listen.metricsPort: {{ .listen.metricsPort }} is listen.port, too. Set another
{{- end }}
{{- if and (not .metrics.enabled) (or .metrics.serviceMonitor.enabled .metrics.prometheusRule.enabled) }}
- metrics.enabled: false with a serviceMonitor or prometheusRule, which need metrics. Set it to true
{{- end }}
{{- $workers := default (include "behalf.inToml" (dict "root" $ "path" "server.workers")) .settings.BEHALF_WORKERS }}
{{- if and (not (get (default dict .resources.limits) "cpu")) (not $workers) }}
- resources.limits.cpu: none, so that the process makes a worker thread for each CPU of the machine it comes to. Set a limit, or settings.BEHALF_WORKERS
{{- end }}
{{- end }}
{{- end -}}

{{- define "behalf.wrongWays" -}}
{{- with .Values }}
{{- if and .ingress.enabled (not .ingress.hosts) }}
- ingress.hosts: is empty while ingress.enabled is true. Name the host that the identity provider calls
{{- end }}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) }}
- httpRoute.parentRefs: is empty while httpRoute.enabled is true. Name the gateway
{{- end }}
{{- if .networkPolicy.enabled }}
{{- if not .networkPolicy.in.ingressController }}
- networkPolicy.in.ingressController: is empty, so that no hook comes in. Name the namespace of the ingress controller or gateway
{{- end }}
{{- if and .metrics.serviceMonitor.enabled (not .networkPolicy.in.prometheus) }}
- networkPolicy.in.prometheus: is empty while metrics.serviceMonitor.enabled is true. Name Prometheus's namespace
{{- end }}
{{- if and (eq .store.kind "redis") (not .redis.enabled) (not .networkPolicy.out.redis.peers) }}
- networkPolicy.out.redis.peers: is empty with store.kind redis. Say where Redis is
{{- end }}
{{- if and (eq (default "" .settings.BEHALF_DIRECTORY) "ldap") (not .networkPolicy.out.directory.peers) }}
- networkPolicy.out.directory.peers: is empty while settings.BEHALF_DIRECTORY is ldap. Say where the directory is
{{- end }}
{{- $collector := default (include "behalf.inToml" (dict "root" $ "path" "traces.endpoint")) .settings.OTEL_EXPORTER_OTLP_ENDPOINT }}
{{- if and $collector (not .networkPolicy.out.otlp.peers) }}
- networkPolicy.out.otlp.peers: is empty while settings.OTEL_EXPORTER_OTLP_ENDPOINT names a collector, so that no trace gets out. Say where it is, or leave the endpoint out
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "behalf.wrongTest" -}}
{{- with .Values }}
{{- if and .test.enabled (eq .test.command "selftest") (or .config.toml .config.existingConfigMap) }}
{{- $door := include "behalf.doorSettings" $ }}
{{- $opens := or (include "behalf.hookSecret" $) (contains "BEHALF_HOOK_BEARER_AUDIENCE" $door) }}
{{- if not (and $opens (contains "BEHALF_ISSUER" $door) (contains "BEHALF_AUDIENCE" $door)) }}
- test.command: selftest, but the values don't say what opens the hook of the tenant `default`. Give settings.BEHALF_ISSUER, settings.BEHALF_AUDIENCE and secrets.files.BEHALF_HOOK_SECRET_FILE here, too, or set test.command to health
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
