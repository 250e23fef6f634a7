{{/* What `config.toml` says, as far as the chart must know it. A ConfigMap of somebody else's isn't seen. */}}

{{/* The text at `path` of a table; empty if there is none. */}}
{{- define "behalf.at" -}}
{{- $at := .table -}}
{{- range splitList "." .path -}}
{{- $at = ternary (get (ternary $at dict (kindIs "map" $at)) .) "" (and (kindIs "map" $at) (hasKey (ternary $at dict (kindIs "map" $at)) .)) -}}
{{- end -}}
{{- if not (kindIs "invalid" $at) }}{{ $at }}{{ end -}}
{{- end -}}

{{/* The text at `path` of config.toml. */}}
{{- define "behalf.inToml" -}}
{{- include "behalf.at" (dict "table" (fromToml .root.Values.config.toml) "path" .path) -}}
{{- end -}}

{{/* Secrets that stand in config.toml themselves: a ConfigMap shows them to everybody who may look at it. Which settings
     are secret is in files/secrets.txt, made from the program's table. */}}
{{- define "behalf.wrongToml" -}}
{{- with .Values.config.toml }}
{{- $read := fromToml . }}
{{- if hasKey $read "Error" }}
- config.toml: isn't TOML: {{ $read.Error }}
{{- else }}
{{- range $line := $.Files.Lines "files/secrets.txt" }}
{{- with splitList " " $line }}
{{- $key := first . }}
{{- $tables := dict $key $read }}
{{- if hasPrefix "tenants.*." $key }}
{{- $tables = dict }}
{{- $tenants := get $read "tenants" }}
{{- range $tenant, $table := ternary $tenants dict (kindIs "map" $tenants) }}
{{- $tables = set $tables (replace "*" $tenant $key) $table }}
{{- end }}
{{- end }}
{{- range $full, $table := $tables }}
{{- if and $key (include "behalf.at" (dict "table" $table "path" (trimPrefix "tenants.*." $key))) }}
- config.toml: `{{ $full }}` is a secret, and a ConfigMap keeps none. Put it into a Secret and say `{{ last (splitList "." $full) }}_file = "/run/secrets/behalf/…"` there{{ if or (not (hasPrefix "tenants." $full)) (hasPrefix "tenants.default." $full) }}, or name it by secrets.files.{{ last (splitList " " $line) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
