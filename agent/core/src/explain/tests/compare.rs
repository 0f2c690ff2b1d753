//! Which answers change from one policy to another.

use super::*;

#[test]
fn what_changes_between_two_policies() {
    let old = policy();
    let changed = POLICY
        .replace("MON-FRI 09:00-17:00", "MON-THU 09:00-17:00")
        .replace("tags: [\"v?.?.?\"]", "tags: [\"v*\"]")
        .replace(
            "{role: tech-lead}]",
            "{role: tech-lead}, {role: incident-commander}]",
        )
        .replace("    breakGlass: {role: incident-commander}\n", "")
        .replace(
            "needs: [incident-commander, incident-commander]",
            "refused: breakGlass",
        );
    let new = Policy::parse(&changed).unwrap();
    let sample = Sample {
        tags: vec!["v1.2.3".into(), "v1.3.0-rc.1".into()],
        at: at("2026-12-03T10:00:00Z"),
    };
    let changes = compare(&old, &new, &[pipeline()], &sample);
    expect![[r#"
        [
          {
            "pipeline": "storefront",
            "environment": "production",
            "namespace": "shop",
            "answers": [
              {
                "asked": "manual v1.2.3, breaking the glass",
                "old": "needed",
                "new": "no"
              }
            ],
            "rules": [
              {
                "rule": "approvals",
                "old": [
                  "needed: 1 of devops-lead and 1 of tech-lead",
                  "2 different people",
                  "at most 1 of them by chat"
                ],
                "new": [
                  "needed: 1 of devops-lead and 1 of tech-lead and 1 of incident-commander",
                  "1 of incident-commander: alice or bob",
                  "3 different people",
                  "at most 2 of them by chat"
                ]
              },
              {
                "rule": "images",
                "old": [
                  "no: the tag v1.3.0-rc.1 fits none of v?.?.?"
                ],
                "new": [
                  "ok: registry.example.com/shop/storefront:v1.3.0-rc.1 may come"
                ],
                "asked": [
                  "manual v1.3.0-rc.1",
                  "upstream v1.3.0-rc.1"
                ]
              },
              {
                "rule": "breakGlass",
                "old": [
                  "unknown: only a holder of incident-commander may ask for it, with a reason"
                ],
                "new": [
                  "no: the policy offers it to nobody there"
                ],
                "asked": [
                  "manual v1.2.3, breaking the glass",
                  "manual v1.3.0-rc.1, breaking the glass"
                ]
              },
              {
                "rule": "windows",
                "old": [
                  "open at 2026-12-04 08:00:00 UTC: inside the window MON-FRI 09:00-17:00 Europe/Berlin",
                  "open at 2026-12-11 08:00:00 UTC: inside the window MON-FRI 09:00-17:00 Europe/Berlin",
                  "open at 2026-12-18 08:00:00 UTC: inside the window MON-FRI 09:00-17:00 Europe/Berlin"
                ],
                "new": [
                  "closed at 2026-12-04 08:00:00 UTC: outside the windows MON-THU 09:00-17:00 Europe/Berlin",
                  "closed at 2026-12-11 08:00:00 UTC: outside the windows MON-THU 09:00-17:00 Europe/Berlin",
                  "closed at 2026-12-18 08:00:00 UTC: outside the windows MON-THU 09:00-17:00 Europe/Berlin"
                ]
              }
            ]
          }
        ]"#]].assert_eq(&serde_json::to_string_pretty(&changes).unwrap());
    assert_eq!(compare(&old, &old, &[pipeline()], &sample), []);
    assert_eq!(compare(&old, &old, &[], &sample), []);
    // Without pipelines, every environment of either policy.
    let closed = compare(&old, &Policy::absent(), &[], &sample);
    let answers: Vec<String> = closed
        .iter()
        .flat_map(|c| c.answers.iter().map(move |a| (c, a)))
        .map(|(c, a)| format!("{}: {}: {:?}", c.environment, a.asked, a.new))
        .collect();
    expect![[r#"
        production: manual v1.2.3: No
        production: manual v1.2.3, skipping the canary: No
        production: manual v1.2.3, breaking the glass: No
        staging: manual v1.2.3: No
        staging: manual v1.3.0-rc.1: No
        staging: registry v1.2.3: No
        staging: registry v1.3.0-rc.1: No"#]]
    .assert_eq(&answers.join("\n"));
}
