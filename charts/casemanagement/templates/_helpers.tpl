{{/* Labels that select this release's pods; they never change. */}}
{{- define "casemanagement.selector" -}}
app.kubernetes.io/name: casemanagement
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "casemanagement.labels" -}}
{{ include "casemanagement.selector" . }}
app.kubernetes.io/managed-by: ejustice-operator
app.kubernetes.io/part-of: ejustice
ejustice.dev/tenant: {{ .Values.platform.tenant.name }}
ejustice.dev/module: {{ .Values.platform.module.name }}
{{- end }}

{{/* The modules that may call this one: the network lets in their pods, and the
module itself their certificates. */}}
{{- define "casemanagement.clients" -}}
["frontdoor"]
{{- end }}

{{/* Their names in certificates. */}}
{{- define "casemanagement.clientNames" -}}
{{- $names := list -}}
{{- range fromJsonArray (include "casemanagement.clients" .) -}}
  {{- $names = append $names (printf "%s.%s.svc" . $.Release.Namespace) -}}
{{- end -}}
{{- join "," $names -}}
{{- end }}

{{/* What the module reads: the ministry's values and the tenant. */}}
{{- define "casemanagement.config" -}}
{{- $tenant := pick .Values.platform.tenant "name" "country" "languages" "timeZone" "domain" "displayNames" -}}
{{- merge (dict "tenant" $tenant) (omit .Values "platform") | toPrettyJson -}}
{{- end }}

{{/* Where the data and the keys are, for the module and for its migration. */}}
{{- define "casemanagement.store" -}}
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
{{- define "casemanagement.authorities" -}}
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
{{- define "casemanagement.resources" -}}
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
{{- define "casemanagement.check" -}}
{{- $types := dict -}}
{{- range $i, $t := .Values.caseTypes -}}
  {{- if hasKey $types $t.code -}}{{ fail (printf "caseTypes[%d].code: %s is used twice" $i $t.code) }}{{- end -}}
  {{- $_ := set $types $t.code true -}}
{{- end -}}
{{- $courts := dict -}}
{{- range $i, $c := .Values.courts -}}
  {{- if hasKey $courts $c.code -}}{{ fail (printf "courts[%d].code: %s is used twice" $i $c.code) }}{{- end -}}
  {{- $_ := set $courts $c.code true -}}
  {{- range $j, $t := $c.caseTypes -}}
    {{- if not (hasKey $types $t) -}}{{ fail (printf "courts[%d].caseTypes[%d]: %s is not listed in caseTypes" $i $j $t) }}{{- end -}}
  {{- end -}}
{{- end -}}
{{- range $i, $c := .Values.courts -}}
  {{- if $c.appealTo -}}
    {{- if or (eq $c.appealTo $c.code) (not (hasKey $courts $c.appealTo)) -}}
      {{ fail (printf "courts[%d].appealTo: %s is not the code of another court" $i $c.appealTo) }}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end }}
