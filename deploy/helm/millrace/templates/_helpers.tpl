{{- define "millrace.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "millrace.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "millrace.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "millrace.selector" -}}
app.kubernetes.io/name: millrace
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "millrace.labels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Of its own, so that the Services and policies of nodes leave the dashboard alone. */}}
{{- define "millrace.uiSelector" -}}
app.kubernetes.io/name: millrace-ui
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "millrace.uiLabels" -}}
{{ include "millrace.uiSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* A group with what it does not say taken from the defaults, as YAML. */}}
{{- define "millrace.group" -}}
{{- mergeOverwrite (deepCopy .root.Values.defaults) (.group | default dict) | toYaml -}}
{{- end -}}

{{/* Helm merges maps, so a group in values.yaml could not be taken away: the one of a chart without values is here. */}}
{{- define "millrace.groups" -}}
{{- .Values.groups | default (dict "default" (dict "queues" (dict "default" 16))) | toYaml -}}
{{- end -}}
