{{- /* The names of volumes, and of containers, that a pod has none of where what they hold is elsewhere: a list in JSON. */ -}}
{{- define "breakwater.outside" -}}
{{- $outside := list -}}
{{- with .Values.settings.BREAKWATER_DATABASE_HOST -}}
{{- $outside = concat $outside (list "postgres" "database" "shared-memory") -}}
{{- end -}}
{{- with .Values.settings.BREAKWATER_AMQP_HOST -}}{{- $outside = append $outside "rabbitmq" -}}{{- end -}}
{{- with .Values.settings.BREAKWATER_S3_BUCKET -}}{{- $outside = append $outside "registry" -}}{{- end -}}
{{- if .Values.storage.secrets.shared -}}{{- $outside = append $outside "secrets" -}}{{- end -}}
{{- toJson $outside -}}
{{- end }}

{{- /* The one claim of all pods. */ -}}
{{- define "breakwater.sharedSecrets" -}}
{{- include "breakwater.fullname" . }}-secrets
{{- end }}

{{- /* The class and size of a claim. Takes the chart's root and the name of the volume. */ -}}
{{- define "breakwater.claimed" -}}
{{- $kept := index .root.Values.storage .name -}}
{{- with $kept.class | default .root.Values.storage.class -}}
storageClassName: {{ . | quote }}
{{ end -}}
resources: { requests: { storage: {{ $kept.size | quote }} } }
{{- end }}

{{- /* What `prepare` alone is given of secrets that are not the instance's own: each out of a Secret. */ -}}
{{- define "breakwater.given" -}}
{{- template "breakwater.fromSecret" (list "BREAKWATER_ADMIN_PASSWORD" (include "breakwater.adminSecret" .) .Values.admin.key) }}
{{- if .Values.settings.BREAKWATER_DATABASE_HOST }}
{{- template "breakwater.fromSecret" (list "BREAKWATER_DATABASE_OWNER_PASSWORD" .Values.database.existingSecret .Values.database.key) }}
{{- end }}
{{- if .Values.settings.BREAKWATER_S3_BUCKET }}
{{- template "breakwater.fromSecret" (list "BREAKWATER_S3_ACCESS_KEY" .Values.bucket.existingSecret .Values.bucket.accessKey) }}
{{- template "breakwater.fromSecret" (list "BREAKWATER_S3_SECRET_KEY" .Values.bucket.existingSecret .Values.bucket.secretKey) }}
{{- end }}
{{- end }}

{{- /* Takes the variable, the Secret and the key in it. */ -}}
{{- define "breakwater.fromSecret" }}
- name: {{ index . 0 }}
  valueFrom: { secretKeyRef: { name: {{ index . 1 | quote }}, key: {{ index . 2 | quote }} } }
{{- end }}

{{- /* The authorities of a server outside, as a volume. Takes the name of the value that names them. */ -}}
{{- define "breakwater.authorities" -}}
{{- $items := list (dict "key" .ca.key "path" "ca.crt") -}}
{{- if .ca.configMap }}
- { name: given-for-{{ .name }}, configMap: { name: {{ .ca.configMap | quote }}, items: {{ toJson $items }} } }
{{- else if .ca.secret }}
- { name: given-for-{{ .name }}, secret: { secretName: {{ .ca.secret | quote }}, items: {{ toJson $items }} } }
{{- end }}
{{- end }}
