{{/* The pod, the same for StatefulSet and Deployment. */}}

{{- define "behalf.spread" -}}
{{- range $value, $key := dict "host" "kubernetes.io/hostname" "zone" "topology.kubernetes.io/zone" }}
{{- with get $.Values.topologySpread $value }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: {{ . }}
  labelSelector:
    matchLabels:
      {{- include "behalf.selectorOfPods" $ | nindent 6 }}
  {{- /* Of the new pods only: else those that are about to go count while a roll-out is on. */}}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end -}}

{{- define "behalf.podTemplate" -}}
metadata:
  labels:
    {{- include "behalf.labels" . | nindent 4 }}
    app.kubernetes.io/component: service
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A pod is replaced when what it was configured with changes.
    {{- if .Values.config.rollOut }}
    checksum/config: {{ include "behalf.configData" . | sha256sum }}
    {{- end }}
    checksum/secrets: {{ include "behalf.secretData" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "behalf.serviceAccount" . }}
  automountServiceAccountToken: false
  # Variables of other Services would look like settings.
  enableServiceLinks: false
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- include "behalf.podSecurity" . | nindent 4 }}
  terminationGracePeriodSeconds: {{ default (include "behalf.stopTakes" . | int) .Values.drain.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if include "behalf.isRedis" . }}
  {{- with include "behalf.spread" . | trim }}
  topologySpreadConstraints:
    {{- . | nindent 4 }}
  {{- end }}
  {{- end }}
  containers:
    - {{ include "behalf.container" . | nindent 6 | trim }}
  {{- $volumes := include "behalf.volumes" . | trim }}
  {{- $claim := ternary "" .Values.store.embedded.existingClaim (eq .Values.store.kind "redis") }}
  {{- if or $volumes $claim }}
  volumes:
    {{- with $claim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ . }}
    {{- end }}
    {{- with $volumes }}
    {{- . | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end -}}
