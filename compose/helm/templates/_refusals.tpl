{{- /* What no schema can tell in a sentence: what does not go together, and texts that a part would refuse at its start. */ -}}
{{- define "breakwater.refusals" -}}
{{- $settings := .Values.settings -}}
{{- $service := .Values.service -}}
{{- $part := "[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?" -}}
{{- $host := printf "%s(\\.%s)*" $part $part -}}
{{- $port := "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])" -}}
{{- if not (regexMatch (printf "^(https?://(%s|\\[[0-9A-Fa-f:.]+\\])(:%s)?/?)?$" $host $port) $settings.BREAKWATER_URL) -}}
{{- fail "settings.BREAKWATER_URL is https://HOST, https://HOST:PORT or the same with http" -}}
{{- end -}}
{{- if not (regexMatch (printf "^(https?://([^/@?#:\\s]+|\\[[0-9A-Fa-f:.]+\\])(:%s)?(/[^@?#\\s]*)?)?$" $port) $settings.BREAKWATER_TRACES_ENDPOINT) -}}
{{- fail "settings.BREAKWATER_TRACES_ENDPOINT is http://HOST:PORT or https://HOST:PORT, without a password or a query" -}}
{{- end -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])" -}}
{{- $four := printf "%s(\\.%s){3}(/(3[0-2]|[12]?[0-9]))?" $octet $octet -}}
{{- $six := "[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?" -}}
{{- range splitList "," $settings.BREAKWATER_OUTBOUND_ALLOW -}}
{{- if not (regexMatch (printf "^\\s*(%s|%s)?\\s*$" $four $six) .) -}}
{{- fail (printf "settings.BREAKWATER_OUTBOUND_ALLOW holds %q, which is no network in CIDR form" .) -}}
{{- end -}}
{{- $network := splitList "/" (trim .) -}}
{{- if and (eq (len $network) 2) (not (contains ":" .)) -}}
{{- $rest := 0 -}}
{{- range splitList "." (first $network) -}}{{- $rest = add (mul $rest 256) (atoi .) -}}{{- end -}}
{{- $size := 1 -}}
{{- range until (sub 32 (atoi (last $network)) | int) -}}{{- $size = mul $size 2 -}}{{- end -}}
{{- if mod $rest $size -}}
{{- fail (printf "settings.BREAKWATER_OUTBOUND_ALLOW holds %q, an address within a network: write the network's first" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range splitList "," $settings.BREAKWATER_TLS_NAMES -}}
{{- if not (regexMatch (printf "^\\s*(%s|[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*)?\\s*$" $host) .) -}}
{{- fail (printf "settings.BREAKWATER_TLS_NAMES holds %q, which is neither a name nor an address" .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.tls.existingSecret $settings.BREAKWATER_TLS_NAMES -}}
{{- fail "tls.existingSecret gives a certificate and settings.BREAKWATER_TLS_NAMES has one made: set one of the two" -}}
{{- end -}}
{{- $six := "[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f.:]*" -}}
{{- $database := .Values.database -}}
{{- if $settings.BREAKWATER_DATABASE_HOST -}}
{{- if not (regexMatch (printf "^(%s|%s)$" $host $six) $settings.BREAKWATER_DATABASE_HOST) -}}
{{- fail "settings.BREAKWATER_DATABASE_HOST is the name or the address of a server, without a port" -}}
{{- end -}}
{{- if not $settings.BREAKWATER_DATABASE_OWNER -}}
{{- fail "settings.BREAKWATER_DATABASE_HOST needs settings.BREAKWATER_DATABASE_OWNER: who owns that database" -}}
{{- end -}}
{{- if not $database.existingSecret -}}
{{- fail "settings.BREAKWATER_DATABASE_HOST needs database.existingSecret, a Secret with its owner's password" -}}
{{- end -}}
{{- else if or $settings.BREAKWATER_DATABASE_OWNER $database.existingSecret $database.ca.configMap $database.ca.secret -}}
{{- fail "settings.BREAKWATER_DATABASE_OWNER and database go with settings.BREAKWATER_DATABASE_HOST alone" -}}
{{- end -}}
{{- range $node := compact (splitList "," $settings.BREAKWATER_AMQP_HOST) -}}
{{- if not (regexMatch (printf "^\\s*(%s|\\[%s\\])(:%s)?\\s*$" $host $six $port) $node) -}}
{{- fail (printf "settings.BREAKWATER_AMQP_HOST holds %q: a broker is HOST or HOST:PORT, several with commas" $node) -}}
{{- end -}}
{{- end -}}
{{- if and (not $settings.BREAKWATER_AMQP_HOST) (or .Values.broker.ca.configMap .Values.broker.ca.secret) -}}
{{- fail "broker.ca goes with settings.BREAKWATER_AMQP_HOST alone" -}}
{{- end -}}
{{- range $name := list "database" "broker" -}}
{{- $ca := (index $.Values $name).ca -}}
{{- if and $ca.configMap $ca.secret -}}
{{- fail (printf "%s.ca.configMap and %s.ca.secret are two places for the same authorities: set one of the two" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if $settings.BREAKWATER_S3_BUCKET -}}
{{- if not .Values.bucket.existingSecret -}}
{{- fail "settings.BREAKWATER_S3_BUCKET needs bucket.existingSecret, a Secret with its access key and secret key" -}}
{{- end -}}
{{- else if or $settings.BREAKWATER_S3_ENDPOINT $settings.BREAKWATER_S3_PREFIX .Values.bucket.existingSecret -}}
{{- fail "settings.BREAKWATER_S3_ENDPOINT, BREAKWATER_S3_PREFIX and bucket go with settings.BREAKWATER_S3_BUCKET alone" -}}
{{- end -}}
{{- if not (regexMatch (printf "^(https?://([^/@?#:\\s]+|\\[[0-9A-Fa-f:.]+\\])(:%s)?(/[^@?#\\s]*)?)?$" $port) $settings.BREAKWATER_S3_ENDPOINT) -}}
{{- fail "settings.BREAKWATER_S3_ENDPOINT is http://HOST:PORT or https://HOST:PORT, without a password or a query" -}}
{{- end -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- if not (and $settings.BREAKWATER_DATABASE_HOST $settings.BREAKWATER_AMQP_HOST $settings.BREAKWATER_S3_BUCKET) -}}
{{- fail "replicas: several pods need settings.BREAKWATER_DATABASE_HOST, BREAKWATER_AMQP_HOST and BREAKWATER_S3_BUCKET: what they share is outside" -}}
{{- end -}}
{{- if not .Values.storage.secrets.shared -}}
{{- fail "replicas: several pods need storage.secrets.shared, a volume that all of them may write to" -}}
{{- end -}}
{{- end -}}
{{- if .Values.ingress.enabled -}}
{{- if not (regexMatch (printf "^%s$" $host) .Values.ingress.host) -}}
{{- fail "ingress.enabled needs ingress.host, the name under which clients reach the registry" -}}
{{- end -}}
{{- end -}}
{{- if eq $service.type "ClusterIP" -}}
{{- if or $service.nodePort $service.externalTrafficPolicy -}}
{{- fail "service.nodePort and service.externalTrafficPolicy go with the types NodePort and LoadBalancer alone" -}}
{{- end -}}
{{- end -}}
{{- if and $service.loadBalancerSourceRanges (ne $service.type "LoadBalancer") -}}
{{- fail "service.loadBalancerSourceRanges goes with the type LoadBalancer alone" -}}
{{- end -}}
{{- end }}
