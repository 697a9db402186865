{{- /* One container of the pod. Takes the chart's root, the part's name, and `sidecar` for what outlives the others. */ -}}
{{- define "breakwater.container" -}}
{{- $part := index (.root.Files.Get "files/parts.yaml" | fromYaml) .name -}}
- name: {{ .name }}
  image: {{ include "breakwater.image" (dict "root" .root "name" $part.image) | quote }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  {{- if .sidecar }}
  restartPolicy: Always
  {{- end }}
  {{- with $part.command }}
  command: {{ toJson . }}
  {{- end }}
  {{- with $part.args }}
  args: {{ toJson . }}
  {{- end }}
  {{- if eq $part.image "breakwater" }}
  env:
    {{- include "breakwater.environment" . | nindent 4 }}
  {{- end }}
  {{- if $part.published }}
  ports:
    - name: {{ include "breakwater.tls" .root | empty | ternary "http" "https" }}
      containerPort: 8080
  {{- end }}
  resources: {{ index .root.Values.resources .name | toJson }}
  securityContext:
    runAsUser: {{ $part.user }}
    runAsGroup: {{ $part.user }}
    runAsNonRoot: {{ ne (int $part.user) 0 }}
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities:
      drop: [ALL]
      {{- with $part.capabilities }}
      add: {{ toJson . }}
      {{- end }}
  {{- include "breakwater.watching" (merge (dict "several" (gt (int .root.Values.replicas) 1)) $part) | nindent 2 }}
  volumeMounts:
    {{- include "breakwater.mounts" (dict "root" .root "name" .name "part" $part) | nindent 4 }}
{{- end }}

{{- define "breakwater.environment" -}}
- { name: BREAKWATER_POD, value: "true" }
- { name: BREAKWATER_PODS, value: {{ .root.Values.replicas | quote }} }
{{- if eq .name "prepare" }}
- { name: BREAKWATER_POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
{{- end }}
{{- $settings := omit .root.Values.settings "BREAKWATER_TLS_NAMES" "BREAKWATER_URL" }}
{{- $_ := set $settings "BREAKWATER_URL" (include "breakwater.url" .root) }}
{{- if eq .name "prepare" }}
{{- $_ := set $settings "BREAKWATER_TLS_NAMES" .root.Values.settings.BREAKWATER_TLS_NAMES }}
{{- end }}
{{- range $name, $value := $settings }}
{{- /* a large number would be written with an exponent */}}
- { name: {{ $name }}, value: {{ kindIs "float64" $value | ternary ($value | toJson) $value | toString | quote }} }
{{- end }}
{{- if eq .name "prepare" }}
{{- include "breakwater.given" .root }}
{{- end }}
{{- end }}

{{- /* Probes, and what goes before the end. */ -}}
{{- define "breakwater.watching" -}}
{{- if .check -}}
{{- $ask := dict "exec" (dict "command" .check) "timeoutSeconds" 10 -}}
{{- $askReady := $ask -}}
{{- $askAlive := dict "exec" (dict "command" (append .check "--alive")) "timeoutSeconds" 10 -}}
{{- if and .several (eq .image "breakwater") -}}
{{- /* what one of several pods lacks outside of itself they all lack: clients are to be told so, or to get on without */ -}}
{{- $askReady = $askAlive -}}
{{- end -}}
{{- with .started }}
startupProbe: {{ merge (dict) $ask . | toJson }}
{{- end }}
readinessProbe: {{ merge (dict "periodSeconds" (.everySeconds | default 10) "failureThreshold" 6) $askReady | toJson }}
{{- with .alive }}
livenessProbe: {{ merge (dict) $ask . | toJson }}
{{- end }}
{{- if eq .image "breakwater" }}
livenessProbe: {{ merge (dict "initialDelaySeconds" 60 "periodSeconds" 30 "failureThreshold" 6) $askAlive | toJson }}
{{- end }}
{{- end }}
{{- $last := .beforeStop }}
{{- if .behindProxy }}
{{- /* nginx takes the file away when its last request has ended; one that was killed leaves it */}}
{{- $last = "n=0; while [ -e /var/lib/breakwater/run/proxy.pid ] && [ $n -lt 9 ]; do sleep 1; n=$((n+1)); done" }}
{{- end }}
{{- with $last }}
lifecycle: { preStop: { exec: { command: {{ list "/bin/sh" "-c" . | toJson }} } } }
{{- end }}
{{- end }}

{{- /* A folder of the volume `secrets` for what has to last, the volume of its name for the rest. */ -}}
{{- define "breakwater.mounts" -}}
{{- $home := "/var/lib/breakwater" -}}
{{- if eq .name "prepare" -}}
- { name: scratch, mountPath: {{ $home }}, subPath: prepare/home }
- { name: handed-out, mountPath: /handed-out }
- { name: secrets, mountPath: /handed-out/audit, subPath: audit }
{{- if .root.Values.tls.existingSecret }}
- { name: given, mountPath: /given, readOnly: true }
{{- end }}
{{- range $name := list "database" "broker" }}
{{- $ca := (index $.root.Values $name).ca }}
{{- if or $ca.configMap $ca.secret }}
- { name: given-for-{{ $name }}, mountPath: /given-for-{{ $name }}, readOnly: true }
{{- end }}
{{- end }}
{{- else if ne .name "migrate" -}}
- { name: scratch, mountPath: {{ $home }}/work, subPath: {{ .name }}/work }
{{- end }}
- { name: scratch, mountPath: /tmp, subPath: {{ .name }}/tmp }
{{- $outside := include "breakwater.outside" .root | fromJsonArray }}
{{- range $volume, $mode := .part.state }}
{{- if or (eq $volume "secrets") (not (has $volume $outside)) }}
- name: {{ has $volume (list "secrets" "conf") | ternary "secrets" $volume }}
  mountPath: {{ $home }}/{{ $volume }}
  {{- if has $volume (list "secrets" "conf") }}
  subPath: {{ $volume }}
  {{- end }}
  {{- if eq $mode "ro" }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end }}
{{- if eq (toString .part.handedOut) "kept" }}
- { name: secrets, mountPath: {{ $home }}/secrets, subPath: {{ .name }} }
{{- else if .part.handedOut }}
- { name: handed-out, mountPath: {{ $home }}/secrets, subPath: {{ .name }}, readOnly: true }
{{- end }}
{{- if .part.ownRun }}
- { name: scratch, mountPath: {{ $home }}/run, subPath: {{ .name }}/run }
{{- end }}
{{- if .part.sharedMemory }}
- { name: shared-memory, mountPath: /dev/shm }
{{- end }}
{{- end }}
