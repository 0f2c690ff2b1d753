use super::*;
#[test]
fn smoke() {
    for text in [
        "rollout.image.tag.startsWith('v') && !('signed' in rollout.image.signedBy)",
        "rollout.image.tagg == 'x'",
        "rollout.requester.groups.exists(g, g == 'sre')",
        "rollout.image.annotations['a/b'].contains('x')",
        "now.getDayOfWeek('Europe/Berlin') == 5 && now.getHours('Europe/Berlin') >= 15",
        "now - timestamp('2026-01-01T00:00:00Z') > duration('1h')",
        "rollout.image.tag.matches('^v[0-9]+$')",
        "rollout.checks.map(c, c + 'x').filter(c, c != 'a').size() > 0",
        "rollout.requester.groups.exists(g, rollout.requester.groups.exists(h, g == h))",
        "size(rollout.image)",
        "foo(1)",
        "1 +",
        "rollout.skipCanary == 'x'",
        "1",
        "'a' + 1 == 'b'",
        "has(rollout.image.annotations.team) && rollout.image.annotations.team == 'x'",
        "rollout.checks.all(c, rollout.checks.all(d, rollout.checks.all(e, true)))",
        "rollout.image.tag.matches('(')",
        "rollout.reason.startWith('x')",
        "rollout.reason && true",
        "rollout.checks[1] == 'x'",
    ] {
        match Expression::parse(text) {
            Ok(e) => eprintln!(
                "OK  {text}: {:?}",
                e.evaluate(&Variables::default(), Timestamp::UNIX_EPOCH)
            ),
            Err(why) => eprintln!("ERR {text}: {why}"),
        }
    }
    panic!()
}
