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
{{- $on := include "sluice.features" . | fromYaml -}}
{{- range $router := list "httpRoutes" "ingresses" -}}
{{- if and (index $on $router) (not $on.services) -}}
{{- fail (printf "targets.features.%s is true, but targets.features.services is false: such a router makes a Service for the candidate. Set targets.features.services to true" $router) -}}
{{- end -}}
{{- end -}}
{{- if and $on.secrets (has (include "sluice.pipelinesNamespace" .) .Values.targetNamespaces) -}}
{{- fail (printf "targets.features.secrets is true, and %s is a namespace of targets and of Pipelines: the agent could read the Secrets there with which people sign in and vote. Use another namespace for one of them (pipelinesNamespace)" (include "sluice.pipelinesNamespace" .)) -}}
{{- end -}}
{{- if and $on.secrets (has .Release.Namespace .Values.targetNamespaces) -}}
{{- fail (printf "targets.features.secrets is true, and %s is a namespace of targets and the agent's own: the agent could read the Secrets with which others sign. Install it in a namespace of its own" .Release.Namespace) -}}
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
