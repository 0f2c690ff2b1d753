{{- define "sluice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sluice.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sluice.labels" -}}
{{ include "sluice.selectorLabels" . }}
app.kubernetes.io/part-of: sluice
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "sluice.account" -}}
{{- .Values.serviceAccount.name | default (include "sluice.fullname" .) -}}
{{- end -}}

{{/* The agent as the API server names it. */}}
{{- define "sluice.user" -}}
{{- printf "system:serviceaccount:%s:%s" .Release.Namespace (include "sluice.account" .) -}}
{{- end -}}

{{- define "sluice.pipelinesNamespace" -}}
{{- .Values.pipelinesNamespace | default .Release.Namespace -}}
{{- end -}}

{{- define "sluice.lease" -}}
{{- .Values.lease.name | default (include "sluice.fullname" .) -}}
{{- end -}}

{{- define "sluice.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* A file that may be written as text or as an object. */}}
{{- define "sluice.text" -}}
{{- if kindIs "string" . -}}{{- . -}}{{- else -}}{{- toYaml . -}}{{- end -}}
{{- end -}}

{{/* Whether two agents could not hold the volume at once. */}}
{{- define "sluice.oneAtATime" -}}
{{- if and .Values.records.persistence.enabled (not (has "ReadWriteMany" .Values.records.persistence.accessModes)) -}}yes{{- end -}}
{{- end -}}

{{/* What Pipelines may use. Values that were kept from a chart without the switches have none of them. */}}
{{- define "sluice.features" -}}
{{- toYaml (get (.Values.targets | default dict) "features" | default (dict "services" true)) -}}
{{- end -}}
