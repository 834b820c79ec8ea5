package workload

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// isKustomization says whether a file of that name is a kustomization.
func isKustomization(path string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), filepath.Base(path))
}

// kustomized says whether the folder has a kustomization.
func kustomized(folder string) bool { return KustomizationFile(folder) != "" }

// kustomize reads what the folder's kustomization builds.
func (l *loader) kustomize(folder string) error {
	at := place{source: folder + " (kustomization)"}
	built, err := Kustomize(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return at.errorf("%w", err)
	}
	for _, r := range built.Resources() {
		data, err := r.MarshalJSON()
		if err != nil {
			return at.errorf("building %s: %w", r.CurId(), err)
		}
		if err := l.object(at, data); err != nil {
			return err
		}
	}
	return nil
}

// Kustomize builds the folder's kustomization as `kubectl kustomize` does: no plugins, nothing from outside
// the root that a kustomization has, and nothing from the network.
func Kustomize(files filesys.FileSystem, folder string) (resmap.ResMap, error) {
	local := &localFiles{FileSystem: files}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(local, folder)
	if local.refused != nil {
		return nil, local.refused // kustomize itself takes it for a missing file
	}
	if err != nil {
		return nil, fmt.Errorf("building: %s", strings.Join(strings.Fields(err.Error()), " "))
	}
	return built, nil
}

// KustomizationFile is the kustomization in the folder; empty where there is none.
func KustomizationFile(folder string) string {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}

// localFiles is the disk, where a kustomization that names something remote cannot be read. Kustomize has
// no option against fetching, and reads every kustomization before it follows what is in it.
type localFiles struct {
	filesys.FileSystem
	refused error // the first refusal
}

// parsed is a YAML file's content, nil where it cannot be parsed: kustomize says what is wrong with it.
func parsed(data []byte) any {
	var content any
	if err := yaml.Unmarshal(data, &content); err != nil {
		return nil
	}
	return content
}

// ReadFile refuses a file that refers to something remote.
func (f *localFiles) ReadFile(path string) ([]byte, error) {
	data, err := f.FileSystem.ReadFile(path)
	if err != nil {
		return nil, err
	}
	content := parsed(data)
	builtin := get(content, "apiVersion") == "builtin" // generators and transformers in files of their own
	if !builtin && !isKustomization(path) {
		return data, nil
	}
	if url := remote(content, false); url != "" {
		err := fmt.Errorf("%s refers to %s: nothing is fetched from the network; copy it next to the kustomization, or give the output of kustomize build with -f -", path, url)
		if f.refused == nil {
			f.refused = err
		}
		return nil, err
	}
	return data, nil
}

// references are the fields of a kustomization and of kustomize's own generators and transformers whose
// values are paths or URLs.
func references(field string) bool {
	return slices.Contains([]string{
		"resources", "bases", "components", "crds", "configurations", "generators", "transformers", "validators",
		"patchesStrategicMerge", "path", "paths", "files", "envs", "env", "repo", "valuesFile", "additionalValuesFiles",
	}, field)
}

// remote is the first remote reference anywhere in the value; inside says that strings in it are references.
func remote(value any, inside bool) string {
	switch v := value.(type) {
	case string:
		if inside && strings.Contains(v, "\n") {
			return remoteInline(v)
		}
		if inside && remoteForms.MatchString(v) {
			return v
		}
	case []any:
		for _, item := range v {
			if url := remote(item, inside); url != "" {
				return url
			}
		}
	case map[string]any:
		for _, field := range slices.Sorted(maps.Keys(v)) {
			if url := remote(v[field], references(field)); url != "" {
				return url
			}
		}
	}
	return ""
}

// remoteForms are how kustomize's git and HTTP loaders are addressed: a scheme, user@host, and GitHub's
// short forms. A generator's file may have "key=" before it.
var remoteForms = regexp.MustCompile(`(?i)^([^\s=]+=)?([a-z][a-z0-9+.-]*:/|git::|gh:|[a-z0-9_.-]+@[^/]+[:/]|(www\.)?github\.com[:/])`)

// remoteInline looks into a generator or transformer that is written into the kustomization.
func remoteInline(text string) string {
	var content any
	if yaml.Unmarshal([]byte(text), &content) != nil || get(content, "apiVersion") != "builtin" {
		return "" // broken, which kustomize reports, or a patch
	}
	return remote(content, false)
}
