{{/* The release's name, and the chart's if that is not in it. */}}
{{- define "rightsize.base" -}}
{{- $base := .Release.Name -}}
{{- if not (contains .Chart.Name $base) -}}{{- $base = printf "%s-%s" $base .Chart.Name -}}{{- end -}}
{{- default $base .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of most objects, with -serve as in the overlays. */}}
{{- define "rightsize.name" -}}
{{ include "rightsize.base" . }}-serve
{{- end -}}

{{/* What the Service, the policies and the budget select by. */}}
{{- define "rightsize.selector" -}}
app.kubernetes.io/name: rightsize
app.kubernetes.io/component: serve
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rightsize.labels" -}}
{{ include "rightsize.selector" . }}
app.kubernetes.io/part-of: rightsize
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* metadata of an object; called with the context and the part of its name that tells it from others of its kind. */}}
{{- define "rightsize.metadata" -}}
name: {{ include "rightsize.base" .context }}{{ get . "part" }}-serve
{{- if not (get . "clusterScoped") }}
namespace: {{ .context.Release.Namespace }}
{{- end }}
labels:
  {{- include "rightsize.labels" .context | nindent 2 }}
  {{- with get . "labels" }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with get . "annotations" }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What is listed, in all namespaces or in one. */}}
{{- define "rightsize.rules" -}}
- apiGroups: [""]
  resources: [limitranges, {{ if eq .Values.scope "cluster" }}nodes, {{ end }}pods, resourcequotas]
  verbs: [list]
- apiGroups: [apps]
  resources: [daemonsets, deployments, replicasets, statefulsets]
  verbs: [list]
- apiGroups: [batch]
  resources: [cronjobs, jobs]
  verbs: [list]
- apiGroups: [argoproj.io]
  resources: [rollouts]
  verbs: [list]
- apiGroups: [apps.openshift.io]
  resources: [deploymentconfigs]
  verbs: [list]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list]
- apiGroups: [autoscaling.k8s.io]
  resources: [verticalpodautoscalers]
  verbs: [list]
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [list]
{{- with .Values.rbac.extraRules }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A Go duration of hours, minutes and seconds, as the schema allows it, in seconds. */}}
{{- define "rightsize.seconds" -}}
{{- $total := 0 -}}
{{- range regexFindAll "[0-9]+[hms]" . -1 -}}
{{- $n := trimSuffix "h" . | trimSuffix "m" | trimSuffix "s" | int -}}
{{- if hasSuffix "h" . -}}{{- $total = add $total (mul $n 3600) -}}
{{- else if hasSuffix "m" . -}}{{- $total = add $total (mul $n 60) -}}
{{- else -}}{{- $total = add $total $n -}}{{- end -}}
{{- end -}}
{{- $total -}}
{{- end -}}
