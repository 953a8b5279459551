{{- define "deepseekserve.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "deepseekserve.fullname" -}}
{{- $name := include "deepseekserve.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "deepseekserve.serviceAccountName" -}}
{{ default (ternary (include "deepseekserve.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "deepseekserve.image" -}}
{{ default (printf "localhost/deepseekserve/operator:%s" .Chart.AppVersion) .Values.image }}
{{- end }}

{{/* Names of cluster-wide objects: two releases of one name in two namespaces must not meet. */}}
{{- define "deepseekserve.clusterName" -}}
{{ printf "%s-%s" .Release.Namespace (include "deepseekserve.fullname" .) | trunc 253 }}
{{- end }}

{{- define "deepseekserve.selectorLabels" -}}
app.kubernetes.io/name: {{ include "deepseekserve.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "deepseekserve.labels" -}}
{{ include "deepseekserve.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: deepseekserve
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
