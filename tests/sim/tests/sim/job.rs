//! Jobs, from their suspension to their end.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, LogParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sluice_sim::{AGENT, Behaviour, Cluster, Resource, Run, Stored};

use crate::support::{any, code, json_patch, manifest, service, until};

const JOB: (&str, &str) = ("batch/v1", "Job");

fn cluster(runs: &[Run]) -> Cluster {
    let cluster = Cluster::fast(1);
    let image = runs.iter().fold(Behaviour::serving("v2"), |image, run| {
        image.run(run.clone())
    });
    cluster.images().set("shop/web", "sha256:v2", image);
    cluster
}

fn job(change: Value) -> Value {
    let mut job = json!({
        "apiVersion": JOB.0,
        "kind": JOB.1,
        "metadata": { "name": "migrate", "namespace": "shop" },
        "spec": {
            "suspend": true,
            "backoffLimit": 0,
            "template": { "spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "migrate",
                    "image": "shop/web@sha256:v2",
                    "args": ["migrate", "up"],
                    "env": [{ "name": "SLUICE_HOOK", "value": "migrate" }],
                }],
            } },
        },
    });
    for (member, value) in change.as_object().unwrap() {
        job["spec"][member] = value.clone();
    }
    job
}

fn stored(cluster: &Cluster) -> Stored {
    cluster.object(Resource::Jobs, "shop", "migrate").unwrap()
}

fn condition(job: &Value, kind: &str) -> Option<(String, String)> {
    let conditions = job["status"]["conditions"].as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind)?;
    let text = |member: &str| found[member].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason")))
}

fn ended(cluster: &Cluster) -> bool {
    let job = stored(cluster);
    condition(&job, "Complete")
        .or_else(|| condition(&job, "Failed"))
        .is_some()
}

fn pods(cluster: &Cluster) -> Vec<Stored> {
    cluster.objects(Resource::Pods, "shop")
}

fn is(status: &str, reason: &str) -> Option<(String, String)> {
    Some((status.to_owned(), reason.to_owned()))
}

async fn resume(cluster: &Cluster) {
    let start = json_patch(json!([
        { "op": "test", "path": "/spec/suspend", "value": true },
        { "op": "replace", "path": "/spec/suspend", "value": false },
    ]));
    let api = any(cluster, AGENT, JOB);
    api.patch("migrate", &PatchParams::default(), &start)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_suspended_job_waits_and_then_runs_once() {
    let run = Run::succeeds()
        .after(Duration::from_secs(90))
        .message("{\"verified\":true}")
        .log(&["begins", "12 tables"]);
    let cluster = cluster(&[run]);
    cluster.apply(job(json!({}))).unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let waiting = stored(&cluster);
    assert_eq!(condition(&waiting, "Suspended"), is("True", "JobSuspended"));
    assert!(waiting["status"].get("startTime").is_none());
    assert!(pods(&cluster).is_empty());
    assert_eq!(waiting["spec"]["completions"], 1, "defaults");
    assert_eq!(waiting["spec"]["completionMode"], "NonIndexed");

    resume(&cluster).await;
    until(|| stored(&cluster)["status"]["ready"] == 1).await;
    let running = stored(&cluster);
    assert_eq!(running["status"]["active"], 1);
    assert_eq!(condition(&running, "Suspended"), is("False", "JobResumed"));
    until(|| ended(&cluster)).await;
    let done = stored(&cluster);
    for kind in ["SuccessCriteriaMet", "Complete"] {
        assert_eq!(condition(&done, kind), is("True", "CompletionsReached"));
    }
    assert_eq!(done["status"]["succeeded"], 1);
    assert!(done["status"].get("active").is_none());
    assert!(
        done["status"]["startTime"].is_string() && done["status"]["completionTime"].is_string()
    );

    let [pod] = pods(&cluster).try_into().unwrap();
    let labels = &pod["metadata"]["labels"];
    assert_eq!(labels["batch.kubernetes.io/job-name"], "migrate");
    assert_eq!(
        labels["batch.kubernetes.io/controller-uid"],
        done["metadata"]["uid"]
    );
    assert_eq!(pod["status"]["phase"], "Succeeded");
    let end = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(
        (&end["exitCode"], &end["reason"]),
        (&json!(0), &json!("Completed"))
    );
    assert_eq!(end["message"], "{\"verified\":true}");
    let name = pod["metadata"]["name"].as_str().unwrap();
    let api: Api<Pod> = Api::namespaced(cluster.client(AGENT), "shop");
    let last = LogParams {
        tail_lines: Some(1),
        ..LogParams::default()
    };
    assert_eq!(api.logs(name, &last).await.unwrap(), "12 tables\n");

    let [ran] = cluster.runs().try_into().unwrap();
    assert_eq!((ran.job.as_str(), ran.pod.as_str()), ("migrate", name));
    assert_eq!(ran.environment["SLUICE_HOOK"], "migrate");
    assert_eq!(ran.arguments, ["migrate", "up"]);
    assert_eq!(ran.exit_code, Some(0));
    assert_eq!(ran.ended.unwrap().duration_since(ran.started).as_secs(), 90);
    cluster.delete(Resource::Jobs, "shop", "migrate");
    until(|| pods(&cluster).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_up_to_the_limit_with_longer_waits() {
    for (limit, failures, seconds) in [(0, 1, 0..5), (2, 3, 30..40)] {
        let cluster = cluster(&[Run::fails(3).message("no such table")]);
        cluster
            .apply(job(json!({ "backoffLimit": limit, "suspend": false })))
            .unwrap();
        until(|| ended(&cluster)).await;
        let done = stored(&cluster);
        for kind in ["FailureTarget", "Failed"] {
            assert_eq!(condition(&done, kind), is("True", "BackoffLimitExceeded"));
        }
        assert_eq!(done["status"]["failed"], failures);
        assert_eq!(cluster.runs().len(), failures, "one run a pod");
        let pods = pods(&cluster);
        assert_eq!(pods.len(), failures, "failed pods stay to be looked at");
        assert_eq!(pods[0]["status"]["phase"], "Failed");
        let end = &pods[0]["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!(end["exitCode"], 3);
        assert_eq!(end["message"], "no such table");
        assert!(end["reason"] == "Error");
        let took = cluster.clock().elapsed().as_secs();
        assert!(seconds.contains(&took), "limit {limit}: {took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_what_hangs_and_what_cannot_be_pulled() {
    let hanging = cluster(&[Run::hangs()]);
    let unpulled = cluster(&[Run::cannot_be_pulled()]);
    let missing = Cluster::fast(1);
    for (cluster, ran) in [(hanging, 1), (unpulled, 0), (missing, 0)] {
        cluster
            .apply(job(json!({ "activeDeadlineSeconds": 60 })))
            .unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(!ended(&cluster), "its time has not begun");
        resume(&cluster).await;
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert!(!ended(&cluster));
        if ran == 0 {
            let status = pods(&cluster)[0]["status"].clone();
            assert_eq!(status["phase"], "Pending");
            let waiting = &status["containerStatuses"][0]["state"]["waiting"];
            assert_eq!(waiting["reason"], "ImagePullBackOff");
        }
        until(|| ended(&cluster)).await;
        let done = stored(&cluster);
        assert_eq!(condition(&done, "Failed"), is("True", "DeadlineExceeded"));
        assert_eq!(done["status"]["failed"], 1, "the pod that was taken away");
        assert!(pods(&cluster).is_empty());
        let runs = cluster.runs();
        assert_eq!(runs.len(), ran);
        assert!(
            runs.iter()
                .all(|run| run.ended.is_some() && run.exit_code.is_none())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_pods_that_still_terminate() {
    let cluster = cluster(&[Run::hangs()]);
    cluster
        .apply(job(
            json!({ "suspend": false, "activeDeadlineSeconds": 10 }),
        ))
        .unwrap();
    until(|| condition(&stored(&cluster), "FailureTarget").is_some()).await;
    let going = stored(&cluster);
    assert_eq!(condition(&going, "Failed"), None, "its pod is still there");
    assert_eq!(going["status"]["terminating"], 1);
    until(|| ended(&cluster)).await;
    assert!(pods(&cluster).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_taken_away_is_a_failure_and_a_deleted_job_kills_its_run() {
    let first = cluster(&[Run::hangs()]);
    first.apply(job(json!({ "suspend": false }))).unwrap();
    until(|| first.runs().len() == 1).await;
    let name = pods(&first)[0]["metadata"]["name"].clone();
    assert!(first.delete(Resource::Pods, "shop", name.as_str().unwrap()));
    until(|| ended(&first)).await;
    assert_eq!(
        condition(&stored(&first), "Failed"),
        is("True", "BackoffLimitExceeded")
    );
    assert_eq!(first.runs().len(), 1, "nothing ran twice");

    let second = cluster(&[Run::hangs()]);
    second.apply(job(json!({ "suspend": false }))).unwrap();
    until(|| second.runs().len() == 1).await;
    let api = any(&second, AGENT, JOB);
    api.delete("migrate", &DeleteParams::background())
        .await
        .unwrap();
    until(|| pods(&second).is_empty()).await;
    let [run] = second.runs().try_into().unwrap();
    assert!(run.ended.is_some() && run.exit_code.is_none(), "killed");
}

#[tokio::test(start_paused = true)]
async fn a_finished_job_goes_when_its_time_to_live_is_over() {
    let cluster = cluster(&[]);
    cluster
        .apply(job(
            json!({ "suspend": false, "ttlSecondsAfterFinished": 86_400 }),
        ))
        .unwrap();
    until(|| ended(&cluster)).await;
    tokio::time::sleep(Duration::from_secs(86_000)).await;
    assert!(ended(&cluster));
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert!(cluster.object(Resource::Jobs, "shop", "migrate").is_none());
    assert!(pods(&cluster).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_container_may_be_restarted_in_its_pod() {
    let cluster = cluster(&[Run::fails(1)]);
    let mut body = job(json!({ "suspend": false, "backoffLimit": 2 }));
    body["spec"]["template"]["spec"]["restartPolicy"] = json!("OnFailure");
    cluster.apply(body).unwrap();
    until(|| ended(&cluster)).await;
    assert_eq!(
        condition(&stored(&cluster), "Failed"),
        is("True", "BackoffLimitExceeded")
    );
    assert_eq!(
        cluster.runs().len(),
        2,
        "the start and one restart, which begins the second wait"
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_stands_in_for_a_message_where_the_template_says_so() {
    let cluster = cluster(&[Run::fails(1).log(&["table orders", "is locked"])]);
    let mut body = job(json!({ "suspend": false }));
    body["spec"]["template"]["spec"]["containers"][0]["terminationMessagePolicy"] =
        json!("FallbackToLogsOnError");
    cluster.apply(body).unwrap();
    until(|| ended(&cluster)).await;
    let end = &pods(&cluster)[0]["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(end["message"], "table orders\nis locked\n");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_pods_match_a_service_gets_its_traffic() {
    let cluster = cluster(&[Run::hangs()]);
    cluster.apply(service()).unwrap();
    let mut body = job(json!({ "suspend": false }));
    body["spec"]["template"]["metadata"] = json!({ "labels": { "app": "web" } });
    body["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{ "name": "http", "containerPort": 8080 }]);
    cluster.apply(body).unwrap();
    until(|| cluster.ready_behind("shop", "web") == 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_api_server_refuses_of_jobs() {
    let cluster = cluster(&[]);
    let api = any(&cluster, AGENT, JOB);
    let mut always = job(json!({}));
    always["spec"]["template"]["spec"]["restartPolicy"] = json!("Always");
    let mut none = job(json!({}));
    none["spec"]["template"]["spec"]["containers"] = json!([]);
    let mut long = job(json!({}));
    long["metadata"]["name"] = json!("m".repeat(64));
    for bad in [always, none, long, job(json!({ "backoffLimit": -1 }))] {
        let refused = api.create(&PostParams::default(), &manifest(bad)).await;
        assert_eq!(code(refused.unwrap_err()), 422);
    }
    cluster.apply(job(json!({}))).unwrap();
    let image = Patch::Merge(json!({ "spec": { "template": { "spec": { "containers": [
        { "name": "migrate", "image": "shop/web@sha256:other" },
    ] } } } }));
    let refused = api.patch("migrate", &PatchParams::default(), &image).await;
    assert_eq!(
        code(refused.unwrap_err()),
        422,
        "a template is written once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cron_job_is_a_template_and_never_fires() {
    let cluster = cluster(&[]);
    let spec = job(json!({ "suspend": false }))["spec"].clone();
    let cron = |name: &str, schedule: &str| {
        json!({
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": { "name": name, "namespace": "shop" },
            "spec": { "schedule": schedule, "suspend": true, "jobTemplate": { "spec": spec } },
        })
    };
    let api = any(&cluster, AGENT, ("batch/v1", "CronJob"));
    let long = "m".repeat(53);
    for (name, schedule, expected) in [
        ("migrate", "", 422),
        ("migrate", "* * *", 422),
        (long.as_str(), "* * * * *", 422),
        ("migrate", "* * * * *", 201),
    ] {
        let made = api
            .create(&PostParams::default(), &manifest(cron(name, schedule)))
            .await;
        assert_eq!(
            made.map_or_else(code, |_| 201),
            expected,
            "{name} {schedule}"
        );
    }
    tokio::time::sleep(Duration::from_secs(7200)).await;
    assert!(cluster.objects(Resource::Jobs, "shop").is_empty());
    let stored = cluster
        .object(Resource::CronJobs, "shop", "migrate")
        .unwrap();
    assert_eq!(stored["spec"]["concurrencyPolicy"], "Allow");
}
