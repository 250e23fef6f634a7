//! One-time codes at many connections at the same time.

use futures_util::future::join_all;
use serde_json::json;

use super::{
    otp::{app, code, enrol, reasons, verify},
    *,
};
use crate::{
    hooks::rounds,
    reservations::{DBA, hold},
};

#[actix_web::test]
async fn of_forty_logins_with_one_code_one_succeeds() {
    for _ in 0..rounds() {
        let app = app().await;
        let secret = enrol(&app, "ann").await;
        hold(&app, "ann", DBA).await;
        let code = code(&app, &secret, 1);
        let all = join_all((0..40).map(|_| verify(&app, &code))).await;
        let done = all.iter().filter(|answer| answer.status == 200).count();
        let refused = all.iter().filter(|answer| answer.status == 401).count();
        assert_eq!((done, refused), (1, 39), "{:?}", reasons(&app).await);
        let used = app.events().await.into_iter().filter(|event| event.code == "DA3001").count();
        assert_eq!(used, 1);
    }
}

#[actix_web::test]
async fn of_forty_guesses_at_a_time_five_count_and_the_rest_find_it_locked() {
    for _ in 0..rounds() {
        let app = app().await;
        let secret = enrol(&app, "ann").await;
        hold(&app, "ann", DBA).await;
        let good = code(&app, &secret, 1);
        let guesses = (0..40).map(|n| format!("{n:06}")).filter(|guess| *guess != good);
        let all = join_all(guesses.map(async |guess| verify(&app, &guess).await)).await;
        assert!(all.iter().all(|answer| answer.status == 401));
        let told = reasons(&app).await;
        let counted = told.iter().filter(|why| *why == "otp-wrong-code").count();
        assert_eq!(counted, 5, "{told:?}");
        assert_eq!(told.iter().filter(|why| *why == "otp-locked").count(), told.len() - 5);
        verify(&app, &good).await.is_problem(401, "otp-refused");
        let alarms = app.events().await.into_iter().filter(|event| event.code == "DA5112").count();
        assert_eq!(alarms, 1);
    }
}

#[actix_web::test]
async fn a_release_and_a_login_end_a_reservation_once() {
    for _ in 0..rounds() {
        let app = app().await;
        let secret = enrol(&app, "ann").await;
        let (_, id) = hold(&app, "ann", DBA).await;
        let code = code(&app, &secret, 1);
        let path = format!("/v1/reservations/{id}");
        let (released, done) = tokio::join!(app.delete(&path, "ann"), verify(&app, &code));
        assert_eq!((released.status == 204, done.status == 200), (done.status != 200, released.status != 204));
        let ends = app.events().await.into_iter().filter(|event| ["DA3001", "DA3003"].contains(&event.code.as_str()));
        assert_eq!(ends.count(), 1);
    }
}

#[actix_web::test]
async fn wrong_codes_for_a_new_secret_count_one_by_one() {
    let app = app().await;
    let begun = app.send(app.request(Method::POST, "/v1/me/otp").bearer_auth("ann")).await;
    assert_eq!(begun.status, 201);
    let wrong = json!({"code": "000000"});
    let all = join_all((0..10).map(|_| app.post("/v1/me/otp/confirm", "ann", &wrong))).await;
    assert!(all.iter().all(|answer| [403, 409, 503].contains(&answer.status.as_u16())));
    let told = app.trail().await.into_iter().filter(|(code, _)| code == "DA5103").count();
    assert!(told <= 5, "{told}");
}
