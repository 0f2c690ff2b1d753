{{/* What the schema cannot say. Refused before anything is sent to the cluster. */}}
{{- define "sluice.refusals" -}}
{{- if and (gt (int .Values.replicas) 1) (include "sluice.oneAtATime" .) -}}
{{- fail "replicas is more than 1, but the records' volume is for one pod (records.persistence.accessModes). Set accessModes to [ReadWriteMany], or records.persistence.enabled to false" -}}
{{- end -}}
{{- if and .Values.policy.config .Values.policy.existingConfigMap -}}
{{- fail "policy.config and policy.existingConfigMap are both set: the agent reads one policy. Remove one of them" -}}
{{- end -}}
{{- if and .Values.registry.config .Values.registry.existingSecret -}}
{{- fail "registry.config and registry.existingSecret are both set. Remove one of them" -}}
{{- end -}}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false, but serviceAccount.name is empty: the guards must know whom to trust. Name your account" -}}
{{- end -}}
{{- if and (not .Values.serviceAccount.create) (eq .Values.serviceAccount.name "default") -}}
{{- fail "serviceAccount.name is default: every pod of the namespace would be the agent. Name an account of its own" -}}
{{- end -}}
{{- range .Values.targetNamespaces -}}
{{- if has . (list "kube-system" "kube-public" "kube-node-lease") -}}
{{- fail (printf "targetNamespaces names %s: what runs the cluster is not rolled out by an agent in it" .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.web.enabled (not .Values.web.hosts) -}}
{{- fail "web.enabled is true, but web.hosts is empty: name at least one host by which browsers reach the page, such as sluice.example.com" -}}
{{- end -}}
{{- range .Values.web.secrets -}}
{{- if has . $.Values.plugins.secrets -}}
{{- fail (printf "%s is in web.secrets and in plugins.secrets: a plugin that breaks out could sign with it what only others may. Keep what others sign with in a Secret of its own" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
