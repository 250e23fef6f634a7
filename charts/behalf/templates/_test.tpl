{{/* `helm test`: what it runs in the image, and the little that it knows: the way to the service, and for `selftest` issuer
     and hook secret of the tenant `default`. The service's other secrets aren't its business. */}}

{{- define "behalf.testArguments" -}}
- {{ .Values.test.command }}
- --url
- {{ include "behalf.scheme" . }}://{{ include "behalf.fullname" . }}.{{ .Release.Namespace }}.svc:{{ .Values.service.port }}
{{- end -}}

{{- define "behalf.isSelftest" -}}{{ if eq .Values.test.command "selftest" }}yes{{ end }}{{- end -}}

{{/* The hook secret's file, below /run/secrets/behalf; empty if the values don't say which it is. */}}
{{- define "behalf.hookSecret" -}}
{{- $inToml := include "behalf.inToml" (dict "root" . "path" "tenants.default.hook.secret_file") -}}
{{- $ours := ternary (trimPrefix "/run/secrets/behalf/" $inToml) "" (hasPrefix "/run/secrets/behalf/" $inToml) -}}
{{- default $ours .Values.secrets.files.BEHALF_HOOK_SECRET_FILE -}}
{{- end -}}

{{/* Settings of the hook's door, from `settings` or from config.toml. */}}
{{- define "behalf.doorSettings" -}}
{{- range $name, $key := dict
    "BEHALF_DIALECT" "dialect"
    "BEHALF_ISSUER" "issuer"
    "BEHALF_AUDIENCE" "audience"
    "BEHALF_HOOK_HEADER" "hook.header"
    "BEHALF_HOOK_BEARER_AUDIENCE" "hook.bearer.audience"
    "BEHALF_HOOK_BEARER_CID" "hook.bearer.cid"
    "BEHALF_HOOK_BEARER_SCOPE" "hook.bearer.scope"
    "BEHALF_HOOK_BEARER_ISSUER" "hook.bearer.issuer"
    "BEHALF_ON_REFUSED" "on_refused"
    "BEHALF_ON_FAILURE" "on_failure" }}
{{- with default (include "behalf.inToml" (dict "root" $ "path" (printf "tenants.default.%s" $key))) (get $.Values.settings $name) }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "behalf.testEnv" -}}
{{- if include "behalf.isSelftest" . }}
{{- include "behalf.doorSettings" . }}
{{- with include "behalf.hookSecret" . }}
- name: BEHALF_HOOK_SECRET_FILE
  value: {{ printf "/run/secrets/behalf/%s" . | quote }}
{{- end }}
{{- if .Values.trust.configMap }}
- name: BEHALF_CA_FILE
  value: "/run/trust/ca.pem"
{{- end }}
{{- else if .Values.trust.configMap }}
# Without a configuration of the service's there are the system's certificates, and this says which they are.
- name: SSL_CERT_FILE
  value: "/run/trust/ca.pem"
{{- end }}
{{- end -}}

{{- define "behalf.testMounts" -}}
{{- if and (include "behalf.isSelftest" .) (include "behalf.hookSecret" .) }}
- name: hook
  mountPath: /run/secrets/behalf
  readOnly: true
{{- end }}
{{- if .Values.trust.configMap }}
- name: trust
  mountPath: /run/trust
  readOnly: true
{{- end }}
{{- end -}}

{{/* Of each source of secrets the hook's alone. A source that names no items may or may not have it. */}}
{{- define "behalf.hookSources" -}}
{{- $file := include "behalf.hookSecret" . }}
{{- range .Values.secrets.projected }}
{{- range $kind, $source := . }}
{{- if and (kindIs "map" $source) (has $kind (list "secret" "configMap")) }}
{{- $items := list }}
{{- range default list $source.items }}
{{- if eq .path $file }}{{ $items = append $items . }}{{ end }}
{{- end }}
{{- if not $source.items }}
- {{ $kind }}:
    name: {{ $source.name }}
    optional: true
    items: [{key: {{ $file }}, path: {{ $file }}}]
{{- else if $items }}
- {{ $kind }}:
    name: {{ $source.name }}
    items:
      {{- toYaml $items | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
{{- else }}
- secret:
    name: {{ default (include "behalf.fullname" .) .Values.secrets.existingSecret }}
    items: [{key: {{ $file }}, path: {{ $file }}}]
{{- end }}
{{- end -}}

{{- define "behalf.testVolumes" -}}
{{- if and (include "behalf.isSelftest" .) (include "behalf.hookSecret" .) }}
- name: hook
  projected:
    # The process's group may read it, nobody else.
    defaultMode: 0440
    sources:
      {{- include "behalf.hookSources" . | trim | nindent 6 }}
{{- end }}
{{- if .Values.trust.configMap }}
- name: trust
  configMap:
    name: {{ .Values.trust.configMap }}
    items:
      - key: {{ .Values.trust.key }}
        path: ca.pem
{{- end }}
{{- end -}}
