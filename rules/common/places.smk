# What lands where, and what a study asks for. What studies share lies by what made it (cortexrsa/studies.py); what
# depends on a study's choices, below RESULTS.

RESULTS = "results/studies/{study}/{dataset}"
LOGS = "results/logs/studies/{study}/{dataset}"
BENCHMARKS = "results/benchmarks/studies/{study}/{dataset}"
# of a figure: for pages, for slides, for papers, and the numbers behind it
FIGURE_FILES = ("svg", "png", "pdf", "csv")


def path_of_brain_rdms(wildcards) -> str:
    """Brain RDMs of a study."""
    dataset = wildcards.dataset
    return studies.brain_rdms(CONFIGS[wildcards.study], dataset, DATASETS[dataset])


def voxels_of(wildcards) -> dict:
    """Brain RDMs of a study without groups of voxels, where these are a sample too."""
    dataset = wildcards.dataset
    path = studies.voxel_rdms(CONFIGS[wildcards.study], dataset, DATASETS[dataset])
    return {"without": path} if path else {}


def path_of_network_rdms(wildcards) -> str:
    """RDMs of one network of a study."""
    return studies.network_rdms(CONFIGS[wildcards.study], wildcards.dataset, wildcards.model)


def paths_of_network_rdms(wildcards) -> list[str]:
    """RDMs of all networks of a study, of the first seed of each."""
    content = CONFIGS[wildcards.study]
    return [studies.network_rdms(content, wildcards.dataset, model) for model in cards_of(wildcards.study)]


def path_of_responses(wildcards) -> str:
    """Responses of a study's data set."""
    key = studies.responses_key(CONFIGS[wildcards.study], DATASETS[wildcards.dataset])
    return f"results/{wildcards.dataset}/responses/{key}.nc"


def responses_of(wildcards) -> dict:
    """The responses of a data set, where it has any."""
    return {"responses": path_of_responses(wildcards)} if has_responses(wildcards.dataset) else {}


def similarities_of(wildcards) -> list[str]:
    """RSA of all networks of a study."""
    return expand(f"{RESULTS}/rsa/{{model}}.nc", **wildcards, model=models_of(wildcards.study))


def claimed_encodings(wildcards) -> dict:
    """Encoding models of a study's networks, where it has any: claims are evaluated on their scores too."""
    return {"encoding": encodings_of(wildcards)} if encodes(wildcards.study, wildcards.dataset) else {}


def measures_of(wildcards) -> list[str]:
    """Other measures of all networks of a study, where it has any."""
    models = models_of(wildcards.study) if measured_in(wildcards.study) else []
    return expand(f"{RESULTS}/measures/{{model}}.nc", **wildcards, model=models)


def measured_in(study: str) -> list[str]:
    """Measures of RDMs beside RSA, and RSA itself with errors over the same stimuli: none where none is asked for."""
    measures = CONFIGS[study]["measures"]
    others = [name for name in measures["others"] if not MEASURES[name].responses]
    return list(dict.fromkeys([measures["comparison"], *others])) if measures["others"] else []


def matches(study: str, dataset: str) -> bool:
    """Whether a study has soft matching of a data set: RDMs alone have no voxels to match."""
    return "soft_matching" in CONFIGS[study]["measures"]["others"] and has_responses(dataset)


def matchings_of(wildcards) -> dict:
    """Soft matching of all networks of a study, where it is asked for."""
    if not matches(wildcards.study, wildcards.dataset):
        return {}
    path = f"{RESULTS}/soft_matching/{{model}}.nc"
    return {"soft_matching": expand(path, **wildcards, model=models_of(wildcards.study))}


def claimed_matchings(wildcards) -> dict:
    """The same, where a claim is about it."""
    return matchings_of(wildcards) if "soft_matching" in json.dumps(CLAIMS[wildcards.study]) else {}


def distances_of(wildcards) -> dict:
    """Squared distances of a network's and of the ROIs' patterns, where a study has measures of Gram matrices."""
    content, dataset = CONFIGS[wildcards.study], wildcards.dataset
    if not set(content["measures"]["others"]) & set(studies.GRAM_MEASURES):
        return {}
    return {
        "network_distances": studies.network_rdms(content, dataset, wildcards.model, "euclidean"),
        "brain_distances": studies.brain_rdms(content, dataset, DATASETS[dataset], "euclidean"),
    }


def takes_confounds(study: str) -> bool:
    """Whether a study has partial RSA."""
    return "partial_rsa" in CONFIGS[study]["measures"]["others"]


def confounds_of(wildcards) -> dict:
    """The confound RDMs of a study, where it takes any out."""
    return {"confounds": f"{RESULTS}/confounds.h5"} if takes_confounds(wildcards.study) else {}


def files_of_confounds(wildcards) -> list[str]:
    """The files from outside that a study's confound RDMs are made of."""
    given = [item for item in CONFIGS[wildcards.study]["measures"]["confounds"] if isinstance(item, dict)]
    return followed([item[kind] for item in given for kind in ("rdm", "embedding") if kind in item])


def results_of_guided(kind: str):
    """Function of the wildcards: the files of a kind of results, of the guided networks of a study."""
    return lambda wildcards: expand(
        f"{RESULTS}/{kind}/{{model}}.nc", **wildcards, model=networks_guided(wildcards.study)
    )


def other_results_of_guided(wildcards) -> dict:
    """Other measures and encoding models of the guided networks, where the study has any."""
    found = {}
    if measured_in(wildcards.study):
        found["measures"] = results_of_guided("measures")(wildcards)
    if encodes(wildcards.study, wildcards.dataset):
        found["encoding"] = results_of_guided("encoding")(wildcards)
    return found


def guidance_of_network(wildcards) -> dict:
    """What each stimulus was to a network in its training, where layers are chosen on others."""
    model = holder_of_weights(wildcards.model, MODELS[wildcards.model])
    if model not in GUIDED or not chosen_apart(brain_of(model), wildcards.dataset):
        return {}
    return {"guidance": f"results/networks/{model}/guidance.csv"}


def held_out_of_guided(wildcards) -> dict:
    """What RSA on held-out categories needs: RDMs, and what each stimulus was to the guided networks.

    Nothing for a data set that no network was trained with, or whose stimuli are blocks of time.
    """
    content, dataset = CONFIGS[wildcards.study], wildcards.dataset
    names = [name for name in guided_in(wildcards.study) if brain_of(name)["dataset"] == dataset]
    if not names or isinstance(DATASETS[dataset].get("unit"), dict):
        return {}
    networks = [model for model in networks_guided(wildcards.study) if file_of(model) in names]
    return {
        "guidance": [f"results/networks/{name}/guidance.csv" for name in names],
        "networks": [studies.network_rdms(content, dataset, model) for model in networks],
        "brain": path_of_brain_rdms(wildcards),
        "stimuli": f"results/{dataset}/stimuli.tsv",
    }


def robustness_of(wildcards) -> list[str]:
    """Accuracies of the guided networks of a study under corruptions."""
    return expand("results/networks/{model}/robustness.csv", model=networks_guided(wildcards.study))


def encodings_of(wildcards) -> list[str]:
    """Encoding models of all networks of a study."""
    return expand(f"{RESULTS}/encoding/{{model}}.nc", **wildcards, model=models_of(wildcards.study))


def has_space(dataset: str) -> bool:
    """Whether it is known where in the brain, or on its surface, the voxels of a data set lie."""
    if dataset in BIDS:
        return True
    card = DATASETS[dataset]
    images = (".nii", ".nii.gz", ".mgh", ".mgz", ".gii")
    return card["loader"] == "responses" and card["options"]["values"]["file"].endswith(images)


def spaces_of(wildcards) -> dict:
    """What says where the voxels of a data set lie: mean BOLD, or the responses."""
    if wildcards.dataset in BIDS:
        return {"mean": glm_files_of("mean.nii.gz")(wildcards)}
    return {"responses": path_of_responses(wildcards)}


def networks_of_bands(study: str) -> list[str]:
    """Networks in the bands of a study's banded ridge."""
    return sorted({cards.network_of_band(band) for band in CONFIGS[study]["encoding"]["bands"]})


def activations_of_bands(wildcards) -> list[str]:
    """Folders with the activations of the networks in the bands."""
    features = studies.features_key(CONFIGS[wildcards.study])
    networks = networks_of_bands(wildcards.study)
    return [path for name in networks for path in activations_of(wildcards.dataset, features, name)]


def encodes(study: str, dataset: str) -> bool:
    """Whether a study has encoding models of a data set: RDMs alone have no responses to predict."""
    return bool(CONFIGS[study]["encoding"]["methods"]) and has_responses(dataset)


def metrics_of(wildcards) -> list[str]:
    """Learning curves of the networks that a study trains."""
    return expand("results/networks/{model}/metrics.csv", model=trained_in(wildcards.study))


def learning_of(wildcards) -> dict:
    """What the networks trained in a study learned, where any is trained."""
    return {"learning": f"{RESULTS}/learning.csv"} if trained_in(wildcards.study) else {}


def weights_of(wildcards) -> dict:
    """The file with a network's weights, where a job makes or downloads it."""
    return weights_of_network(wildcards.model)


def weights_of_network(model: str) -> dict:
    """The same by the network's name."""
    holder = holder_of_weights(model, MODELS[model])
    if holder in TRAINED:
        return {"weights": f"results/networks/{holder}/weights.safetensors"}
    if "url" in MODELS[holder].get("weights", {}):
        return {"downloads": f"results/downloads/{holder}"}
    return {}


def corpus_of(model: str) -> str:
    """Name of the corpus that a network is trained on."""
    return TRAINED[model]["weights"]["training"]["corpus"]


def corpus_files(wildcards) -> dict:
    """Files of the corpus that a network is trained on."""
    return files_of_corpus(corpus_of(wildcards.model))


def corpus_files_by_name(wildcards) -> dict:
    """Files of a corpus."""
    return files_of_corpus(wildcards.corpus)


def files_of_corpus(name: str) -> dict:
    """Index of a corpus, and its images where they are one array."""
    files = {"index": f"results/corpora/{name}/index.tsv"}
    if CORPORA[name]["kind"] != "imagefolder":
        files["images"] = f"results/corpora/{name}/images.npy"
    return files


def guidance_files(wildcards) -> dict:
    """What a network is trained with, beside the images of its corpus."""
    return guidance_files_of(wildcards.model)


def guidance_files_of(model: str) -> dict:
    """Stimuli, responses and hashes that a network is trained with, and the weights of others that it needs."""
    brain, dataset = brain_of(model), brain_of(model)["dataset"]
    key = studies.responses_key(responses_of_guidance(brain), DATASETS[dataset])
    files = {
        "stimuli_images": f"results/{dataset}/stimuli.npy",
        "stimuli": f"results/{dataset}/stimuli.tsv",
        "responses": f"results/{dataset}/responses/{key}.nc",
        "hashes": f"results/corpora/{corpus_of(model)}/hashes.npy",
    }
    for part, name in others_of(GUIDED[model]).items():
        files |= {f"{part}_{kind}": path for kind, path in weights_of_network(name).items()}
    return files


def bids_files(wildcards) -> dict:
    """Files of a BIDS folder that a job depends on: those of its subject, or events and images of all."""
    if DATASETS[wildcards.dataset]["loader"] == "simulated":
        return {"bids": BIDS[wildcards.dataset]["folder"]}
    return {"files": followed(outside_files(wildcards))}


def rdm_files(wildcards) -> dict:
    """Files of a data set of RDMs: its downloads, where it has any, and those on this disk."""
    return downloads_of(wildcards) | {"files": followed(local_files(DATASETS[wildcards.dataset]))}


def downloads_of(wildcards) -> dict:
    """The downloads of a data set, where it has any."""
    has_any = cards.card_files(DATASETS[wildcards.dataset])
    return {"downloads": f"results/downloads/{wildcards.dataset}"} if has_any else {}


def outside_files(wildcards) -> list[str]:
    """The files of `bids_files` that the workflow did not make."""
    source = BIDS[wildcards.dataset]
    if DATASETS[wildcards.dataset]["loader"] == "simulated":
        return []
    subject = getattr(wildcards, "subject", None)
    return cards.bids_files(source, [subject] if subject else source["subjects"], images=not subject)


def followed(paths: list[str]) -> list[str]:
    """Files from outside as inputs of a job; refused where Snakemake would take their names for patterns."""
    for path in paths:
        if "{" in path or "}" in path:
            sys.exit(
                f"Error: {path}: Snakemake takes braces in a path for a wildcard; rename the file or folder"
            )
    return paths


def glm_files(dataset: str, glm: str, name: str) -> list[str]:
    """A result of the GLM, of every subject."""
    return [f"results/{dataset}/glm/{glm}/sub-{subject}_{name}" for subject in BIDS[dataset]["subjects"]]


def glm_files_of(name: str):
    """The same, of a study."""
    return lambda wildcards: glm_files(wildcards.dataset, studies.glm_key(CONFIGS[wildcards.study]), name)


def activations_of(dataset: str, features: str, model: str) -> list[str]:
    """Folders with a network's activations to the stimuli of a data set, one for each shard."""
    shards = DATASETS[dataset]["shards"]
    return [f"results/{dataset}/activations/{features}/{model}/{k}-of-{shards}" for k in range(1, shards + 1)]


def kept_or_temporary(path: str):
    """A folder of activations, as the studies want it."""
    kept = any(content["keep_activations"] for content in CONFIGS.values())
    return directory(path) if kept else temp(directory(path))


def recovery_layers(wildcards) -> dict:
    """Layers in which `recovery` plants truth: of the first classifier, the generative network, and Gabor energy."""
    players = {role: players_of(FIRST["study"], role) for role in ("task_optimised", "generative")}
    names = {
        "network": players["task_optimised"][0],
        "other": players["generative"][0],
        "low_level": "gabor",
    }
    for part, name in names.items():
        if name not in MODELS:
            raise WorkflowError(
                f"recovery needs a {part.replace('_', '-')} network, found {name} in no models"
            )
    features = studies.features_key(FIRST)
    return {part: activations_of(wildcards.dataset, features, name) for part, name in names.items()}


def power_tables(wildcards) -> list[str]:
    """Tables of the power of a design over its grid of effects and numbers of stimuli."""
    wanted = CONFIGS[wildcards.study]["power"]
    folder = f"results/power/{wildcards.study}/{wildcards.dataset}"
    return [f"{folder}/{n}-stimuli-effect-{e:g}.csv" for e in wanted["effects"] for n in wanted["stimuli"]]


def truth_of(wildcards) -> dict:
    """Of the calibration study: the true scores that intervals should cover, where there is a signal."""
    population = "one" if wildcards.subjects == "1" else "several"
    path = f"results/calibration/truth-{population}-{wildcards.signal}.npy"
    return {} if wildcards.signal == "none" else {"truth": path}


def results_of(study: str, dataset: str) -> list[str]:
    """What a user asked for: the tables and figures of a study's data set."""
    figures = ["profiles", "rois", "heatmap", "rdms", "mds", "centroids", "verdicts", "comparisons"]
    figures += ["stimuli", "inputs"]
    averages = dataset in BIDS and CONFIGS[study]["glm"]["betas"] == "stimulus"
    if has_responses(dataset) and not averages:
        figures.append("reliability")
    tables = ["scores", "ceilings", "claims", "profiles", "comparisons", "ranks"]
    if encodes(study, dataset):
        figures += ["encoding", *(["encoding_maps"] if has_space(dataset) else [])]
        tables.append("encoding")
    if measured_in(study):
        figures += ["measures", "measure_ranks", "rdm_variance"]
        tables += ["measures", "measure_ranks", "rdm_variance"]
    if takes_confounds(study):
        tables.append("confounds")
    if CONFIGS[study]["encoding"]["bands"] and has_responses(dataset):
        tables.append("banded")
    if dataset in BIDS:
        figures += ["masks", "tsnr", "design"]
    if DATASETS[dataset]["loader"] == "simulated":
        figures.append("beta_recovery")
    if trained_in(study):
        figures.append("learning")
        tables.append("learning")
    if guided_in(study):
        figures += ["guided", "guided_tasks"]
        tables += ["guided", "robustness"]
    folder = RESULTS.format(study=study, dataset=dataset)
    return [f"{folder}/{table}.csv" for table in tables] + [
        f"{folder}/figures/{figure}.{suffix}" for figure in figures for suffix in FIGURE_FILES
    ]


def intermediates(study: str, dataset: str) -> list[str]:
    """What stages make for later ones, and keep.

    Asked for by name: a failed or killed job takes its former outputs with it, and Snakemake does not miss a file
    that nobody asks for. Tables of the settings before would pass for current. Activations, which may be temporary,
    and downloads, which are what their checksum says, are left out: those who read them know their settings.
    """
    content, card = CONFIGS[study], DATASETS[dataset]
    folder, own = f"results/{dataset}", RESULTS.format(study=study, dataset=dataset)
    files = [f"{folder}/stimuli.npy", f"{folder}/stimuli.tsv", f"{own}/inputs.nc"]
    for dissimilarity in studies.distances_of(content):
        files.append(studies.brain_rdms(content, dataset, card, dissimilarity))
        files += [studies.network_rdms(content, dataset, model, dissimilarity) for model in models_of(study)]
    files += filter(None, [studies.voxel_rdms(content, dataset, card)])
    files += [f"{own}/rsa/{model}.nc" for model in models_of(study)]
    if encodes(study, dataset):
        files += [f"{own}/encoding/{model}.nc" for model in models_of(study)]
    if measured_in(study):
        files += [f"{own}/measures/{model}.nc" for model in models_of(study)]
    if matches(study, dataset):
        files += [f"{own}/soft_matching/{model}.nc" for model in models_of(study)]
    if takes_confounds(study):
        files.append(f"{own}/confounds.h5")
    if has_responses(dataset):
        files.append(f"{folder}/responses/{studies.responses_key(content, card)}.nc")
    if card["loader"] == "simulated":
        files += [f"{folder}/bids", f"{folder}/truth.nc"]
    if dataset in BIDS:
        files += glm_files(dataset, studies.glm_key(content), "betas.nc")
    for model in trained_in(study):
        own = (
            "weights.safetensors",
            "metrics.csv",
            *(("guidance.csv", "choice.csv") if model in GUIDED else ()),
        )
        files += [f"results/networks/{model}/{file}" for file in own]
        if model in GUIDED:
            found = guidance_files_of(model).items()
            files += [path for part, path in found if not part.endswith("downloads")]
    files += [f"results/networks/{model}/robustness.csv" for model in networks_guided(study)]
    return files + [f"results/corpora/{corpus_of(model)}/index.tsv" for model in trained_in(study)]


def logs_of(study: str, dataset: str) -> list[str]:
    """Patterns of the logs of all jobs whose results a study's data set rests on."""
    content, card = CONFIGS[study], DATASETS[dataset]
    dissimilarity, units = (content["measures"][key] for key in ("dissimilarity", "units"))
    made = studies.distances_of(content)
    features = studies.features_key(content)
    responses, folder = studies.responses_key(content, card), f"results/logs/{dataset}"
    patterns = [f"{folder}/*.log", f"{folder}/glm/{studies.glm_key(content)}/*.log"]
    patterns += [
        f"{folder}/responses/{responses}.log",
        *(f"{folder}/brain_rdms/{each}/{responses}.log" for each in made),
        f"{folder}/voxel_rdms/{dissimilarity}/{responses}-*.log",
    ]
    for model in models_of(study):
        patterns.append(f"{folder}/extract/{features}/{model}/*.log")
        patterns += [f"{folder}/network_rdms/{each}/{units}/{features}/{model}.log" for each in made]
    for model in trained_in(study):
        patterns += [f"results/logs/train/{model}.log", f"results/logs/corpora/{corpus_of(model)}.log"]
    patterns += [f"results/logs/robustness/{model}.log" for model in networks_guided(study)]
    return [*patterns, f"{LOGS}/**/*.log".format(study=study, dataset=dataset)]


def everything(study: str) -> list[str]:
    """All that a study asks for."""
    return [
        path
        for dataset in CONFIGS[study]["datasets"]
        for path in (
            *results_of(study, dataset),
            *intermediates(study, dataset),
            f"{RESULTS}/warnings.csv".format(study=study, dataset=dataset),
        )
    ]
