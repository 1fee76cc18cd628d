//! Queues on the operators' page.

use zeroize::Zeroizing;

use super::{AMOUNT, Class, PUPILS};
use crate::console::{Browser, SECRET};

#[tokio::test]
async fn an_operator_finds_a_queue_sees_its_cards_and_closes_it() {
    let with = |text: String| text.replacen("[bank]\n", "[bank]\nconsole = \"127.0.0.1:0\"\n", 1);
    let mut class = Class::with(with).await;
    let opened = class.opened().await;
    class.load(0, 0, opened.proof).await;
    for (name, role) in [("chen", None), ("lin", Some(bank::Role::Viewer))] {
        let password = Zeroizing::new(SECRET.to_owned());
        let kept = bank::keep_operator_as(class.stage.config(), name, &password, role);
        kept.await.unwrap();
    }
    let id = hex::encode(class.queue);
    let one = format!("/queues/{id}");
    let chen = Browser::signed_in(&class.stage, "chen").await;
    let lin = Browser::signed_in(&class.stage, "lin").await;
    for (find, found) in [
        ("", true),
        (&id[..6], true),
        ("0002", true),
        ("4471", false),
    ] {
        let page = lin.get(&format!("/queues?find={find}")).await.body;
        assert_eq!(page.contains(&one), found, "{find}");
    }
    let page = lin.get(&one).await.body;
    let reference = class.stage.references().await[0].clone();
    for told in [
        "waits for its card",
        &reference,
        "···· 0003",
        "¥150.00",
        "¥50.00",
    ] {
        assert!(page.contains(told), "{told} not in {page}");
    }
    assert!(!page.contains(&PUPILS[0][4..]), "no whole number");
    assert!(
        !page.contains("name=\"password\""),
        "no form for who may only look"
    );
    let form = async |browser: &Browser, password: &str| {
        let csrf = browser.csrf().await;
        let form = format!("csrf={csrf}&evidence=the+school+asked&password={password}");
        browser.post(&one, &form).await
    };
    let right = SECRET.replace(' ', "+");
    let answer = form(&lin, &right).await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    let answer = form(&chen, "wrong+one+it+is").await;
    assert!(
        answer.body.contains("The password is wrong"),
        "{}",
        answer.body
    );
    assert_eq!(class.state().await.returned, 0, "nothing moved");
    let answer = form(&chen, &right).await;
    assert!(
        answer.body.contains("what waited is back"),
        "{}",
        answer.body
    );
    assert_eq!(class.state().await.returned, u64::from(2 * AMOUNT));
    let answer = form(&chen, &right).await;
    assert!(
        answer.body.contains("It is closed already"),
        "{}",
        answer.body
    );
    assert_eq!(lin.get("/queues/00").await.status, 404);
    class.stage.close(AMOUNT.into()).await;
}
