# The report: what stands in it, and when it is written; and what a run says on the terminal.


def plan_of_run() -> list[Planned]:
    """Jobs of this run and those whose results are there, in the order of the rules; a rule's file is its stage."""
    order = {rule.name: k for k, rule in enumerate(workflow.rules)}
    jobs = [job for job in workflow.dag.jobs if job.output]
    return [
        Planned(
            Path(str(job.rule.snakefile)).stem,
            job.rule.name,
            workflow.dag.needrun(job),
            seconds_of(job.benchmark),
        )
        for job in sorted(jobs, key=lambda job: order[job.rule.name])
    ]


SPEAKER = speak(logger, plan_of_run) if workflow.is_main_process else None


def figure(name: str, category: str, content: str) -> dict:
    """Files of a figure by its name, and the numbers behind it; the SVG goes into the report with its caption."""
    drawing = report(
        f"{RESULTS}/figures/{name}.svg",
        caption=f"../resources/captions/{name}.rst",
        category=category,
        labels={"study": "{study}", "data set": "{dataset}", "content": content},
    )
    return {name: [drawing, *(f"{RESULTS}/figures/{name}.{suffix}" for suffix in FIGURE_FILES[1:])]}


def record_studies() -> None:
    """Write each study's configuration beside its results, as it is in force, and where it is from."""
    for study, content in CONFIGS.items():
        folder = Path(f"results/studies/{study}")
        registration.record_claims(content, CLAIMS[study])
        with atomic_path(folder / "origin.json") as temporary:
            temporary.write_text(json.dumps({"origin": ORIGINS[study]}) + "\n")
        with atomic_path(folder / "config.yaml") as temporary:
            temporary.write_text(yaml.safe_dump(content, sort_keys=True, allow_unicode=True))


def make_reports() -> None:
    """Write the reports of all studies of this run; of none that has pending jobs."""
    for study in CONFIGS:
        command = [sys.executable, str(ROOT / "scripts/report.py"), f"results/studies/{study}/config.yaml"]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            raise WorkflowError(run.stderr.strip().splitlines()[-1] if run.stderr.strip() else "no report")
        for line in run.stdout.splitlines():
            logger.info(line)


def tell_power() -> None:
    """Print the shares of verdicts that `power` found, if it was asked for."""
    if "power" in workflow.dag_settings.targets:
        for study, content in CONFIGS.items():
            for dataset in content["datasets"]:
                folder = Path(f"results/power/{study}/{dataset}")
                logger.info((folder / "power.txt").read_text() + f"Figure: {folder}/power.svg")


def repeat_errors() -> None:
    """Print the lines of error of the jobs that failed once more, below all that Snakemake still says."""
    lines = errors_in("results/logs", STARTED) + (SPEAKER.speechless() if SPEAKER else [])
    atexit.register(print, *lines[:20], sep="\n", file=sys.stderr)
