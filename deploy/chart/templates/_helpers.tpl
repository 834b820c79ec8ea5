{{/* The release's name, and the chart's if that is not in it. */}}
{{- define "rightsize.base" -}}
{{- $base := .Release.Name -}}
{{- if not (contains .Chart.Name $base) -}}{{- $base = printf "%s-%s" $base .Chart.Name -}}{{- end -}}
{{- default $base .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of most objects of a component: with -serve for the served report, as in the overlays. Called, as what
follows, with the context and the component, which is report or serve. */}}
{{- define "rightsize.name" -}}
{{ include "rightsize.base" .context }}{{ get . "part" }}{{ if eq .component "serve" }}-serve{{ end }}
{{- end -}}

{{/* What the Service, the policies and the budget select by. */}}
{{- define "rightsize.selector" -}}
app.kubernetes.io/name: rightsize
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
{{- end -}}

{{/* Of pods: nothing that changes with the chart's version alone, which would start them anew. */}}
{{- define "rightsize.podLabels" -}}
{{ include "rightsize.selector" . }}
app.kubernetes.io/part-of: rightsize
{{- end -}}

{{- define "rightsize.labels" -}}
{{ include "rightsize.podLabels" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* metadata of an object. part tells it from others of its kind. */}}
{{- define "rightsize.metadata" -}}
name: {{ include "rightsize.name" . }}
{{- if not (get . "clusterScoped") }}
namespace: {{ .context.Release.Namespace }}
{{- end }}
labels:
  {{- include "rightsize.labels" . | nindent 2 }}
  {{- with get . "labels" }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with get . "annotations" }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The components that are installed, in JSON. */}}
{{- define "rightsize.components" -}}
{{- $components := list -}}
{{- if .Values.cronJob.enabled -}}{{- $components = append $components "report" -}}{{- end -}}
{{- if .Values.serve.enabled -}}{{- $components = append $components "serve" -}}{{- end -}}
{{- if not $components -}}{{- fail "serve.enabled and cronJob.enabled are both false: nothing would be installed" -}}{{- end -}}
{{- toJson $components -}}
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

{{/* The pod's own settings, the same for both components. */}}
{{- define "rightsize.pod" -}}
serviceAccountName: {{ include "rightsize.name" . }}
automountServiceAccountToken: false # the volume is one that expires
enableServiceLinks: false
{{- with .context.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
nodeSelector:
  kubernetes.io/os: linux
  {{- with .context.Values.nodeSelector }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .context.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .context.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .context.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{/* The container's, but for its arguments, ports, probes and volumes. */}}
{{- define "rightsize.container" -}}
name: rightsize
image: {{ .context.Values.image.repository }}:{{ .context.Values.image.tag | default .context.Chart.AppVersion }}
imagePullPolicy: {{ .context.Values.image.pullPolicy }}
env:
- name: PROMETHEUS_URL
  value: {{ .context.Values.prometheus.url | quote }}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: MEMORY_LIMIT_MI
  valueFrom:
    resourceFieldRef:
      containerName: rightsize
      resource: limits.memory
      divisor: 1Mi
# 95% of the limit: Go collects its garbage before the kernel kills it.
- name: GOMEMLIMIT
  value: $(MEMORY_LIMIT_MI)000000
{{- with .context.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
resources:
  {{- toYaml .context.Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "rightsize.scope" -}}
{{ if eq .context.Values.scope "cluster" }}--all-namespaces{{ else }}--namespace=$(POD_NAMESPACE){{ end }}
{{- end -}}

{{- define "rightsize.tokenMount" -}}
- name: token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end -}}

{{/* A token that lives for an hour. */}}
{{- define "rightsize.tokenVolume" -}}
- name: token
  projected:
    defaultMode: 0440
    sources:
    - serviceAccountToken:
        path: token
        expirationSeconds: 3600
    - configMap:
        name: kube-root-ca.crt
        items:
        - key: ca.crt
          path: ca.crt
    - downwardAPI:
        items:
        - path: namespace
          fieldRef:
            fieldPath: metadata.namespace
{{- end -}}
