package shop

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// declared is a workload of a manifest.
type declared struct {
	kind, namespace, name string
	replicas              int
	static                bool   // a pod that a kubelet runs from a file
	node                  string // of a pod, where it says
	schedule              string // of a CronJob
	spec                  corev1.PodSpec
	past                  past
}

// manifest has the fields of all kinds that the generator looks at.
type manifest struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		corev1.PodSpec `json:",inline"` // of a Pod
		Replicas       *int             `json:"replicas"`
		Template       podTemplate      `json:"template"`
		Schedule       string           `json:"schedule"`
		JobTemplate    struct {
			Spec struct {
				Template podTemplate `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
}

type podTemplate struct {
	Spec corev1.PodSpec `json:"spec"`
}

// readDeclared reads every workload of the files, in the order of their names.
func readDeclared(files embed.FS) ([]declared, error) {
	names, err := fs.Glob(files, "*/*.yaml")
	if err != nil {
		return nil, err
	}
	var all []declared
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for _, doc := range strings.Split(string(text), "\n---\n") {
			d, err := parseDeclared(doc)
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", name, err)
			}
			all = append(all, d)
		}
	}
	return all, nil
}

func parseDeclared(doc string) (declared, error) {
	var m manifest
	if err := yaml.Unmarshal([]byte(doc), &m); err != nil {
		return declared{}, err
	}
	d := declared{kind: m.Kind, namespace: m.Metadata.Namespace, name: m.Metadata.Name, replicas: 1, spec: m.Spec.Template.Spec}
	if m.Spec.Replicas != nil {
		d.replicas = *m.Spec.Replicas
	}
	switch m.Kind {
	case "Deployment", "StatefulSet", "DaemonSet", "Job":
	case "CronJob":
		d.spec, d.schedule = m.Spec.JobTemplate.Spec.Template.Spec, m.Spec.Schedule
	case "Pod":
		d.spec, d.node = m.Spec.PodSpec, m.Spec.NodeName
		d.static = m.Metadata.Annotations["kubernetes.io/config.source"] == "file"
	default:
		return d, fmt.Errorf("%q is not a kind of workload", m.Kind)
	}
	return d, nil
}
