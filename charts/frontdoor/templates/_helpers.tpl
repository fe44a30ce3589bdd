{{/* Labels that select this release's pods; they never change. */}}
{{- define "frontdoor.selector" -}}
app.kubernetes.io/name: frontdoor
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "frontdoor.labels" -}}
{{ include "frontdoor.selector" . }}
app.kubernetes.io/managed-by: ejustice-operator
app.kubernetes.io/part-of: ejustice
ejustice.dev/tenant: {{ .Values.platform.tenant.name }}
ejustice.dev/module: {{ .Values.platform.module.name }}
{{- end }}

{{/* What the module reads: the routes, the tenant, and where both are. */}}
{{- define "frontdoor.config" -}}
{{- $tenant := pick .Values.platform.tenant "name" "country" "languages" "timeZone" "domain" "displayNames" -}}
{{- dict "tenant" $tenant "host" .Values.platform.public.host "namespace" .Release.Namespace "routes" .Values.routes | toPrettyJson -}}
{{- end }}

{{/* The modules that routes lead to, each once. */}}
{{- define "frontdoor.modules" -}}
{{- $modules := list -}}
{{- range .Values.routes -}}{{- $modules = append $modules .module -}}{{- end -}}
{{- $modules | uniq | sortAlpha | toJson -}}
{{- end }}

{{/* Requests and limits are always set, because the tenant's quota asks for
them. A limit that is not given is never below the request that is. */}}
{{- define "frontdoor.resources" -}}
{{- $given := .Values.platform.resources | default dict -}}
{{- $requests := $given.requests | default dict -}}
{{- $limits := $given.limits | default dict -}}
requests:
  cpu: {{ $requests.cpu | default "20m" | quote }}
  memory: {{ $requests.memory | default "32Mi" | quote }}
limits:
  cpu: {{ $limits.cpu | default $requests.cpu | default "1" | quote }}
  memory: {{ $limits.memory | default $requests.memory | default "256Mi" | quote }}
{{- end }}

{{/* What the schema cannot say. */}}
{{- define "frontdoor.check" -}}
{{- $paths := dict -}}
{{- range $i, $r := .Values.routes -}}
  {{- if hasKey $paths $r.path -}}{{ fail (printf "routes[%d].path: %s is used twice" $i $r.path) }}{{- end -}}
  {{- $_ := set $paths $r.path true -}}
{{- end -}}
{{- end }}
