{{- define "breakwater.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- /* the pod's name and its revision's have to fit into a label */ -}}
{{- .Values.fullnameOverride | default $full | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "breakwater.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "breakwater.labels" -}}
{{ include "breakwater.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "breakwater.adminSecret" -}}
{{- .Values.admin.existingSecret | default (printf "%s-admin" (include "breakwater.fullname" .)) -}}
{{- end }}

{{- /* Not empty where the proxy itself speaks TLS. */ -}}
{{- define "breakwater.tls" -}}
{{- if or .Values.tls.existingSecret .Values.settings.BREAKWATER_TLS_NAMES -}}yes{{- end -}}
{{- end }}

{{- define "breakwater.port" -}}
{{- .Values.service.port | default (include "breakwater.tls" . | empty | ternary 80 443) -}}
{{- end }}

{{- /* What people are told to open, where that is known. */ -}}
{{- define "breakwater.url" -}}
{{- if .Values.settings.BREAKWATER_URL -}}
{{- .Values.settings.BREAKWATER_URL -}}
{{- else if .Values.ingress.enabled -}}
{{- .Values.ingress.tlsSecret | empty | ternary "http" "https" -}}://{{ .Values.ingress.host }}
{{- end -}}
{{- end }}

{{- /* Takes the chart's root and the name of an image. */ -}}
{{- define "breakwater.image" -}}
{{- $image := index .root.Values.images .name -}}
{{- $place := "" -}}
{{- with .root.Values.images.prefix -}}{{- $place = printf "%s/" (trimSuffix "/" .) -}}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s%s@%s" $place $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s%s:%s" $place $image.repository ($image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}
