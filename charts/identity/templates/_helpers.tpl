{{/* Labels that select this release's pods; they never change. */}}
{{- define "identity.selector" -}}
app.kubernetes.io/name: identity
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "identity.labels" -}}
{{ include "identity.selector" . }}
app.kubernetes.io/managed-by: ejustice-operator
app.kubernetes.io/part-of: ejustice
ejustice.dev/tenant: {{ .Values.platform.tenant.name }}
ejustice.dev/module: {{ .Values.platform.module.name }}
{{- end }}

{{/* The modules that may call this one, the front door and the clients: the network
lets in their pods, and the module itself their certificates. */}}
{{- define "identity.clients" -}}
{{- $modules := list "frontdoor" -}}
{{- range .Values.clients -}}
  {{- with .module -}}{{- $modules = append $modules . -}}{{- end -}}
{{- end -}}
{{- $modules | uniq | toJson -}}
{{- end }}

{{/* Their names in certificates. */}}
{{- define "identity.clientNames" -}}
{{- $names := list -}}
{{- range fromJsonArray (include "identity.clients" .) -}}
  {{- $names = append $names (printf "%s.%s.svc" . $.Release.Namespace) -}}
{{- end -}}
{{- join "," $names -}}
{{- end }}

{{/* What the module reads: the ministry's values and the tenant. A client that is a
module proves who it is by that module's certificate. */}}
{{- define "identity.config" -}}
{{- $tenant := pick .Values.platform.tenant "name" "country" "languages" "timeZone" "domain" "displayNames" -}}
{{- $clients := list -}}
{{- range .Values.clients -}}
  {{- $proof := dict "authentication" "none" -}}
  {{- if .module -}}
    {{- $proof = dict "authentication" "certificate" "certificate" (printf "%s.%s.svc" .module $.Release.Namespace) -}}
  {{- else if .keys -}}
    {{- $proof = dict "authentication" "private_key_jwt" -}}
  {{- end -}}
  {{- $clients = append $clients (merge $proof (omit . "module" "public")) -}}
{{- end -}}
{{- $issuer := .Values.issuer | default (printf "https://%s/identity" .Values.platform.tenant.domain) -}}
{{- merge (dict "tenant" $tenant "clients" $clients "issuer" $issuer) (omit .Values "platform") | toPrettyJson -}}
{{- end }}

{{/* Where the data and the keys are, for the module and for its migration. */}}
{{- define "identity.store" -}}
{{- with .Values.platform.database -}}
- name: DATABASE_HOST
  value: {{ .host | quote }}
- name: DATABASE_PORT
  value: {{ .port | toString | quote }}
- name: DATABASE_NAME
  value: {{ .name | quote }}
- name: DATABASE_SSLMODE
  value: {{ .sslMode | quote }}
{{- if .tenantCA }}
- name: DATABASE_ROOT_CERT
  value: /etc/ejustice-database/ca.crt
{{- end }}
{{- end }}
{{- with .Values.platform.vault }}
- name: VAULT_ADDR
  value: {{ .address | quote }}
{{- if .caConfigMap }}
- name: VAULT_CACERT
  value: /etc/ejustice-vault/ca.crt
{{- end }}
- name: VAULT_LOGIN_PATH
  value: {{ .loginPath | quote }}
- name: VAULT_JWT_FILE
  value: /var/run/ejustice-vault/token
- name: VAULT_MOUNT
  value: {{ .mount | quote }}
{{- end }}
{{- end }}

{{/* By what they know the database and Vault. */}}
{{- define "identity.authorities" -}}
{{- if .Values.platform.database.tenantCA -}}
- name: database-ca
  mountPath: /etc/ejustice-database
  readOnly: true
{{ end -}}
{{- if .Values.platform.vault.caConfigMap -}}
- name: vault-ca
  mountPath: /etc/ejustice-vault
  readOnly: true
{{- end }}
{{- end }}

{{/* Requests and limits are always set, because the tenant's quota asks for
them. A limit that is not given is never below the request that is. */}}
{{- define "identity.resources" -}}
{{- $given := .Values.platform.resources | default dict -}}
{{- $requests := $given.requests | default dict -}}
{{- $limits := $given.limits | default dict -}}
requests:
  cpu: {{ $requests.cpu | default "20m" | quote }}
  memory: {{ $requests.memory | default "64Mi" | quote }}
limits:
  cpu: {{ $limits.cpu | default $requests.cpu | default "1" | quote }}
  memory: {{ $limits.memory | default $requests.memory | default "256Mi" | quote }}
{{- end }}

{{/* What the schema cannot say. */}}
{{- define "identity.check" -}}
{{- $courts := dict -}}
{{- range $i, $c := .Values.courts -}}
  {{- if hasKey $courts $c.code -}}{{ fail (printf "courts[%d].code: %s is used twice" $i $c.code) }}{{- end -}}
  {{- $_ := set $courts $c.code true -}}
{{- end -}}
{{- $clients := dict -}}
{{- $modules := dict -}}
{{- range $i, $c := .Values.clients -}}
  {{- if hasKey $clients $c.id -}}{{ fail (printf "clients[%d].id: %s is used twice" $i $c.id) }}{{- end -}}
  {{- $_ := set $clients $c.id true -}}
  {{- with $c.module -}}
    {{- if hasKey $modules . -}}{{ fail (printf "clients[%d].module: %s is another client already" $i .) }}{{- end -}}
    {{- $_ := set $modules . true -}}
  {{- end -}}
{{- end -}}
{{- end }}
