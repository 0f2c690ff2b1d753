//! Approval by the web page, in a real browser: people sign in, read, and press. One brings a token of
//! Kubernetes, one comes from the identity provider. What a page must refuse, it refuses.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use kube::ResourceExt as _;
use serde_json::json;
use sluice_cluster::crd::Rollout;
use sluice_core::approval::Channel;
use sluice_core::policy::IdentityProvider;

use crate::browser::{Browser, Browsers, missing};
use crate::doors::{Doors, NEW, OLD, PLACE, hash};
use crate::outside::{NEIGHBOUR, STRANGER};
use crate::table::Traffic;

const APP: &str = "storefront";
/// What Alice says when she asks for it.
const REASON: &str = "prices with their currency";
const APPROVE: &str = "//form[@data-vote]//button[normalize-space()='Approve']";

pub(crate) async fn check(doors: &Doors) -> anyhow::Result<Traffic> {
    if let Some(lacks) = missing() {
        ensure!(std::env::var_os("CI").is_none(), "CI must have {lacks}");
        return Ok(Traffic::skipped(lacks));
    }
    let versions = doors.app(APP, false).await?;
    let wish = json!({"environment": "production", "tag": NEW, "reason": REASON});
    let path = format!("/api/v1/pipelines/{}/{APP}/deploy", PLACE.delivery);
    let (status, said) = doors.call("alice", &path, &wish).await?;
    ensure!(status == 201, "alice's wish: {status} {said}");
    let rollout = doors.asked(APP, NEW).await?;
    let (lead, key) = (doors.outside.lead(), &doors.outside.key);
    let browsers = Browsers::start(&doors.cluster, &lead, key).await?;
    let people = People {
        doors,
        browsers: &browsers,
        page: format!("/rollouts/{}/{}", PLACE.delivery, rollout.name_any()),
    };
    let played = people.play(&rollout, [&versions.old, &versions.new]).await;
    browsers.end().await?;
    let asked = played?;

    let votes = doors.votes(&asked).await?;
    let good = votes.iter().filter(|v| v.spec.hash == hash(&asked));
    let mut voters: Vec<(&str, Channel)> = good
        .map(|v| (v.spec.provider.as_str(), v.spec.channel))
        .collect();
    voters.sort_by_key(|(provider, _)| *provider);
    let second = if doors.reached { "oidc" } else { "kubernetes" };
    ensure!(
        voters == [("kubernetes", Channel::Web), (second, Channel::Web)],
        "the votes are {voters:?}"
    );
    let mut notes = vec![
        format!("read and approved in Chromium by dave (token) and bob ({second})"),
        "who asked, who holds no role, two foreign sites and an old page were refused".to_owned(),
    ];
    if !doors.reached {
        notes.push("not played here: the sign-in with an identity provider that pods reach".into());
    }
    Ok(Traffic {
        notes,
        ..Traffic::default()
    })
}

struct People<'a> {
    doors: &'a Doors,
    browsers: &'a Browsers,
    /// Path of the Rollout's page.
    page: String,
}

impl People<'_> {
    /// Everything that people do; answers with what was asked in the end.
    async fn play(&self, rollout: &Rollout, versions: [&str; 2]) -> anyhow::Result<Rollout> {
        let dave = self.with_token("dave", true).await?;
        self.reads(&dave, rollout, versions).await?;
        self.requester(rollout).await?;
        self.without_a_role().await?;
        self.forms_of_others(&dave, rollout).await?;
        // Bob opens the page before what would change changes.
        let bob = self.second().await?;
        let asked = self.old_page(&bob, rollout).await?;
        self.approves(&dave, &asked).await?;
        self.approves_as_second(&bob).await?;
        let about = (APP, "production", NEW);
        self.doors.phase(about, "Succeeded").await?;
        bob.shows(&["Succeeded", NEW]).await?;
        self.picture(&bob, "succeeded").await?;
        Ok(asked)
    }

    /// Where pictures are kept.
    fn album(&self, name: &str) -> PathBuf {
        let folder = self.doors.cluster.repository("target/e2e");
        folder.join(format!("{name}.png"))
    }

    async fn picture(&self, browser: &Browser<'_>, name: &str) -> anyhow::Result<()> {
        let path = self.album(name);
        browser.picture(&path).await?;
        let size = std::fs::metadata(&path).map_or(0, |m| m.len());
        // One that shows nothing has a few kilobytes.
        ensure!(size > 10_000, "{}: {size} bytes", Path::display(&path));
        Ok(())
    }

    /// Somebody signs in with a token, from the page that they wanted to see.
    async fn with_token(&self, name: &str, pictures: bool) -> anyhow::Result<Browser<'_>> {
        let browser = self.browsers.open().await?;
        browser.go(&Doors::page("/")).await?;
        browser.shows(&["Sign in", "kubectl create token"]).await?;
        if pictures {
            self.picture(&browser, "sign-in").await?;
        }
        let token = self.doors.token(name).await?;
        browser.type_into("//input[@name='token']", &token).await?;
        browser.click("//form[@action='/sign-in']//button").await?;
        browser.shows(&["Pipelines", name, "Sign out", APP]).await?;
        Ok(browser)
    }

    /// Opens the Rollout from the overview, and finds everything that an approver must see.
    async fn reads(
        &self,
        dave: &Browser<'_>,
        rollout: &Rollout,
        [old, new]: [&str; 2],
    ) -> anyhow::Result<()> {
        self.picture(dave, "overview").await?;
        let link = format!("//a[contains(@class,'rollout')][@href='{}']", self.page);
        dave.click(&link).await?;
        let short = |digest: &str| digest.chars().skip(7).take(12).collect::<String>();
        let (old_digest, new_digest) = (short(old), short(new));
        let wanted = [
            // What, where, by whom and why.
            APP,
            NEW,
            "production",
            PLACE.production,
            "alice",
            REASON,
            // What is replaced, what changes.
            OLD,
            &old_digest,
            &new_digest,
            new,
            "In the pod template",
            "image",
            // The plan, and what was passed before.
            "Plan by canary",
            "50 %",
            "100 %",
            "http-smoke",
            "staging",
            // Who has approved, what is missing, what opens it, when it lapses.
            "devops-lead missing",
            "tech-lead missing",
            "Lapses",
            "Approve",
            "Reject",
        ];
        let text = dave.shows(&wanted).await?;
        let expires = rollout.status.as_ref().and_then(|j| j.approval.as_ref());
        let expires = expires.context("nothing is asked")?.expires_at.to_string();
        let stands = dave
            .has(&format!(
                "//time[starts-with(@datetime,'{}')]",
                &expires.get(..16).unwrap_or("")
            ))
            .await?;
        ensure!(
            stands,
            "the page does not say that it lapses at {expires}: {text}"
        );
        self.picture(dave, "waits-for-votes").await
    }

    /// Alice asked for it: her page offers her no yes, and one that is sent all the same is refused.
    async fn requester(&self, rollout: &Rollout) -> anyhow::Result<()> {
        let alice = self.with_token("alice", false).await?;
        alice.go(&Doors::page(&self.page)).await?;
        alice
            .shows(&["you asked for it", "somebody else approves", "Reject"])
            .await?;
        ensure!(!alice.has(APPROVE).await?, "alice has a button");
        self.picture(&alice, "who-asked").await?;
        let (status, said) = self.sends(&alice, &hash(rollout)).await?;
        ensure!(
            status == 403 && said.contains("asked for this rollout"),
            "who asked is answered {status}: {said}"
        );
        self.nothing_but_refusals(&alice).await
    }

    /// The form of a yes, as this browser sends it from the page that it shows.
    async fn sends(&self, browser: &Browser<'_>, hash: &str) -> anyhow::Result<(u64, String)> {
        let send = "const csrf = document.querySelector('input[name=csrf]').value;
            const request = new XMLHttpRequest();
            request.open('POST', arguments[0], false);
            request.send(new URLSearchParams({csrf, hash: arguments[1]}));
            return [request.status, request.responseText];";
        let path = format!("{}/approve", self.page);
        let said = browser.script(send, json!([path, hash])).await?;
        let text = said[1].as_str().unwrap_or_default().to_owned();
        Ok((said[0].as_u64().unwrap_or(0), text))
    }

    /// Carol holds no role: she may read, sees why she may not press, and there is nothing to press,
    /// whoever vouches for her.
    async fn without_a_role(&self) -> anyhow::Result<()> {
        let mut browsers = vec![self.with_token("carol", false).await?];
        if self.doors.reached {
            browsers.push(self.with_provider("carol").await?);
        }
        for carol in browsers {
            carol.go(&Doors::page(&self.page)).await?;
            carol
                .shows(&[
                    "may not approve",
                    "needs a role that they do not hold",
                    "devops-lead",
                ])
                .await?;
            ensure!(!carol.has(APPROVE).await?, "carol has a button");
            self.picture(&carol, "no-role").await?;
            self.nothing_but_refusals(&carol).await?;
        }
        Ok(())
    }

    /// Somebody follows a link to the page, and comes back to it from the identity provider.
    async fn with_provider(&self, name: &str) -> anyhow::Result<Browser<'_>> {
        let browser = self.browsers.open().await?;
        browser.go(&Doors::page(&self.page)).await?;
        browser
            .click("//a[contains(., 'identity provider')]")
            .await?;
        browser.shows(&["Example identity"]).await?;
        browser.type_into("//input[@name='user']", name).await?;
        browser.click("//button").await?;
        browser.shows(&["Sign out", NEW]).await?;
        let there = browser.address().await?;
        ensure!(
            there == Doors::page(&self.page),
            "the sign-in leads to {there}"
        );
        Ok(browser)
    }

    /// The browser itself complains of nothing but answers that refuse: of no script, and of nothing
    /// that the page's own policy forbids.
    async fn nothing_but_refusals(&self, browser: &Browser<'_>) -> anyhow::Result<()> {
        let mut all = browser.complaints().await?;
        all.retain(|said| !said.contains("the server responded with a status of 4"));
        ensure!(all.is_empty(), "the browser complains: {all:?}");
        Ok(())
    }

    /// Sites of others send the form in Dave's browser, where he is signed in.
    async fn forms_of_others(&self, dave: &Browser<'_>, rollout: &Rollout) -> anyhow::Result<()> {
        for site in [NEIGHBOUR, STRANGER] {
            let attack = format!("https://{site}/?{}/approve&{}", self.page, hash(rollout));
            dave.go(&attack).await?;
            let text = dave.shows(&["not sent by this page"]).await?;
            ensure!(text.contains("foreign-origin"), "{site}: {text}");
        }
        self.picture(dave, "foreign-site").await?;
        let votes = self.doors.votes(rollout).await?;
        ensure!(votes.is_empty(), "a foreign site has voted: {votes:?}");
        self.nothing_but_refusals(dave).await
    }

    /// Bob comes from the identity provider, where pods reach one; else he brings a token, too.
    async fn second(&self) -> anyhow::Result<Browser<'_>> {
        let bob = if self.doors.reached {
            self.with_provider("bob").await?
        } else {
            let bob = self.with_token("bob", false).await?;
            bob.go(&Doors::page(&self.page)).await?;
            bob
        };
        bob.shows(&["devops-lead missing", "tech-lead missing"])
            .await?;
        Ok(bob)
    }

    /// What would change changes under Bob's eyes: his page says so and lets him press nothing, and an
    /// old page that is sent all the same records nothing.
    async fn old_page(&self, bob: &Browser<'_>, rollout: &Rollout) -> anyhow::Result<Rollout> {
        let old = hash(rollout);
        self.doors.change_target(APP, "hello").await?;
        let about = (APP, "production", NEW);
        let asked = self
            .doors
            .until(about, "it is asked anew", |r| {
                let why = r.status.as_ref().and_then(|j| j.why.as_ref());
                let waits = why.is_some_and(|w| w.code() == "WaitsForVotes");
                waits && !hash(r).is_empty() && hash(r) != old
            })
            .await?;
        bob.shows(&["This has changed since you opened the page"])
            .await?;
        ensure!(
            bob.has(&format!("{APPROVE}[@disabled]")).await?,
            "bob's old button can be pressed"
        );
        self.picture(bob, "changed").await?;
        let (status, said) = self.sends(bob, &old).await?;
        ensure!(
            status == 409 && said.contains("has changed since"),
            "an old page is answered {status}: {said}"
        );
        let votes = self.doors.votes(rollout).await?;
        ensure!(votes.is_empty(), "an old page has voted: {votes:?}");
        bob.click("//button[@data-again]").await?;
        Ok(asked)
    }

    async fn approves(&self, dave: &Browser<'_>, asked: &Rollout) -> anyhow::Result<()> {
        dave.go(&Doors::page(&self.page)).await?;
        let reason = "//form[contains(@action,'/approve')]//input[@name='reason']";
        dave.type_into(reason, "read it twice").await?;
        dave.click(APPROVE).await?;
        dave.shows(&[
            "Your approval is recorded",
            "tech-lead missing",
            "you have said so already",
        ])
        .await?;
        self.picture(dave, "approved").await?;
        let votes = self.doors.votes(asked).await?;
        let [vote] = votes.as_slice() else {
            anyhow::bail!("not one vote but {votes:?}");
        };
        ensure!(
            vote.spec.channel == Channel::Web
                && vote.spec.provider == IdentityProvider::Kubernetes
                && vote.spec.approver.ends_with(":dave")
                && vote.spec.hash == hash(asked)
                && vote.spec.reason.as_deref() == Some("read it twice"),
            "the vote is {:?}",
            vote.spec
        );
        self.nothing_but_refusals(dave).await
    }

    /// Bob has read what changed. His page has followed by itself and shows Dave's vote.
    async fn approves_as_second(&self, bob: &Browser<'_>) -> anyhow::Result<()> {
        bob.shows(&["devops-lead dave", "tech-lead missing"])
            .await?;
        bob.click(APPROVE).await?;
        bob.shows(&["Your approval is recorded"]).await?;
        self.nothing_but_refusals(bob).await
    }
}
